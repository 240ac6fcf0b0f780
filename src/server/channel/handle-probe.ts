/**
 * Sees whether channels over handles work on this Node: by driving one through everything that a channel does, over a
 * connection of this process with itself. Until it has, and for good if anything is not as expected, connections are
 * driven through sockets.
 */
import { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nativeListen } from "../listen.ts";
import type { Channel } from "./channel.ts";
import { findHandleAccess, type StreamHandle } from "./handle-access.ts";
import { HandleChannel, useHandles } from "./handle-channel.ts";

/** For the tests of both kinds of channels: `socket` rules out the other. */
const FORCED = "TSGUN_CHANNEL";

const DEADLINE_MS = 5000;

/** More than the system takes at once. */
const LARGE_BYTES = 4 * 2 ** 20;

let areUsable = false;
let probe: Promise<boolean> | undefined;

/** True once handles are known to be usable. */
export function handlesUsable(): boolean {
  return areUsable;
}

/** Probes once in a process. Resolves with whether handles are usable. */
export function probeHandles(): Promise<boolean> {
  if (process.env[FORCED] === "socket") return Promise.resolve(false);
  probe ??= probeNow().then(
    () => {
      areUsable = true;
      return true;
    },
    () => false,
  );
  return probe;
}

async function probeNow(): Promise<void> {
  useHandles(findHandleAccess());
  const server = new Server();
  const client = new Socket({ allowHalfOpen: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([
      driveChannel(server, client),
      new Promise((_, reject) => {
        server.on("error", reject);
        client.on("error", reject);
        timer = setTimeout(reject, DEADLINE_MS, new Error("the handle did not respond")).unref();
      }),
    ]);
  } finally {
    clearTimeout(timer);
    client.destroy();
    server.close();
  }
}

async function driveChannel(server: Server, client: Socket): Promise<void> {
  const accepted = new Promise<StreamHandle>((resolve) => {
    server.once("listening", () => {
      const { _handle } = server as unknown as { _handle: { onconnection: unknown } };
      _handle.onconnection = (_status: number, handle: StreamHandle) => resolve(handle);
      client.connect({ path });
    });
  });
  const name = `tsgun-${process.pid}-${process.hrtime.bigint()}`;
  // Linux has names for sockets that need no file.
  const path = process.platform === "linux" ? `\0${name}` : join(tmpdir(), name);
  // Otherwise the primary of a cluster would listen.
  nativeListen.call(server, { path, exclusive: true });
  const events = new ProbeEvents();
  const channel = new HandleChannel(await accepted);
  channel.start(events);
  await checkReading(channel, events, client);
  await checkWriting(channel, events, client);
  await checkEnding(channel, events, client);
}

async function checkReading(channel: Channel, events: ProbeEvents, client: Socket): Promise<void> {
  events.keepReading = false;
  client.write("one");
  await events.until(() => events.received === "one");
  events.keepReading = true;
  await new Promise((resolve) => client.write("two", resolve));
  await nextTurn();
  await nextTurn();
  expect(events.received === "one", "a paused handle was read");
  channel.resume();
  await events.until(() => events.received === "onetwo");
}

async function checkWriting(channel: Channel, events: ProbeEvents, client: Socket): Promise<void> {
  let text = "";
  let size = 0;
  client.on("data", (bytes: Buffer) => {
    size += bytes.length;
    if (size < 100) text += bytes.toString("latin1");
    events.notify();
  });
  channel.writeText("a\xff");
  channel.writeAround("b", Buffer.from("c"), "");
  channel.writeAround("d\xfe", "\xff", "e");
  await events.until(() => text === "a\xffbcd\xfe\xc3\xbfe");
  expect(!channel.pending, "a small write was not taken");
  client.pause();
  channel.writeAround("", Buffer.alloc(LARGE_BYTES), "");
  channel.writeText("the end");
  expect(channel.pending && channel.full, "a large write was taken");
  channel.watch({ body: DEADLINE_MS * 2, responseMinRate: 0 });
  client.resume();
  await events.until(() => events.isDrained && size === LARGE_BYTES + 16);
  expect(!channel.pending && !channel.full, "a large write stayed");
}

async function checkEnding(channel: Channel, events: ProbeEvents, client: Socket): Promise<void> {
  let isSent = false;
  let isRead = false;
  client.on("end", () => {
    isRead = true;
    events.notify();
  });
  channel.end(() => {
    isSent = true;
    events.notify();
  });
  await events.until(() => isSent && isRead);
  expect(channel.descriptor >= 0 && !events.isEnded, "a handle that was shut down was closed");
  client.end();
  await events.until(() => events.isEnded && events.isClosed);
  expect(channel.descriptor === -1 && channel.destroyed, "a handle stayed open");
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** Waits for what a channel reports. */
class ProbeEvents {
  received = "";
  keepReading = true;
  isDrained = false;
  isEnded = false;
  isClosed = false;
  #holds: (() => boolean) | undefined;
  #resolve: () => void = () => {};

  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#holds = holds;
      this.#resolve = resolve;
      this.notify();
    });
  }

  notify(): void {
    if (this.#holds?.() === true) this.#resolve();
  }

  onBytes(bytes: Buffer): boolean {
    this.received += bytes.toString("latin1");
    this.notify();
    return this.keepReading;
  }

  onEnd(): void {
    this.isEnded = true;
    this.notify();
  }

  onDrained(): void {
    this.isDrained = true;
    this.notify();
  }

  onStalled(): void {}

  onClosed(): void {
    this.isClosed = true;
    this.notify();
  }
}
