/** Channels of each kind, each with the client at its other end. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Arrivals } from "../../src/conformance/arrivals.ts";
import type { Channel, ChannelEvents } from "../../src/server/channel/channel.ts";
import type { StreamHandle } from "../../src/server/channel/handle-access.ts";
import { HandleChannel } from "../../src/server/channel/handle-channel.ts";
import { probeHandles } from "../../src/server/channel/handle-probe.ts";
import { SocketChannel } from "../../src/server/channel/socket-channel.ts";

const DEADLINE_MS = 20_000;

/** Notes what a channel reports. */
export class NotedEvents implements ChannelEvents {
  /** The bytes received, as Latin-1. */
  received = "";
  bytes = 0;
  ends = 0;
  drains = 0;
  stalls = 0;
  closes = 0;
  keepsReading = true;
  readonly #arrivals = new Arrivals();

  onBytes(bytes: Buffer): boolean {
    this.bytes += bytes.length;
    if (this.bytes < 100_000) this.received += bytes.toString("latin1");
    this.#arrivals.notify();
    return this.keepsReading;
  }

  onEnd(): void {
    this.#note("ends");
  }

  onDrained(): void {
    this.#note("drains");
  }

  onStalled(): void {
    this.#note("stalls");
  }

  onClosed(): void {
    this.#note("closes");
  }

  #note(what: "ends" | "drains" | "stalls" | "closes"): void {
    this[what] += 1;
    this.#arrivals.notify();
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    if (await this.#arrivals.until(holds, DEADLINE_MS)) return;
    throw new Error(`waited in vain until ${what}: ${JSON.stringify({ ...this })}`);
  }
}

export interface OpenChannel {
  readonly channel: Channel;
  readonly events: NotedEvents;
  readonly client: Socket;
}

export interface ChannelKind {
  readonly name: string;
  readonly isUnix: boolean;
  readonly isTls: boolean;
  open(test: TestContext): Promise<OpenChannel>;
}

async function listening(test: TestContext, server: Server, isUnix: boolean): Promise<() => Socket> {
  if (!isUnix) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    test.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    return () => connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  }
  const folder = mkdtempSync(join(tmpdir(), "tsgun-channel-"));
  const path = join(folder, "socket");
  server.listen(path);
  await once(server, "listening");
  test.after(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return () => connect({ path, allowHalfOpen: true });
}

function started(test: TestContext, channel: Channel, client: Socket): OpenChannel {
  const events = new NotedEvents();
  client.on("error", () => {});
  channel.start(events);
  test.after(() => {
    client.destroy();
    channel.destroy();
  });
  return { channel, events, client };
}

function accepting(name: string, isUnix: boolean, make: (handle: StreamHandle) => Channel): ChannelKind {
  return {
    name,
    isUnix,
    isTls: false,
    async open(test) {
      await probeHandles();
      const server = createServer();
      const dial = await listening(test, server, isUnix);
      const accepted = new Promise<StreamHandle>((resolve) => {
        const { _handle } = server as unknown as { _handle: { onconnection: unknown } };
        _handle.onconnection = (_status: number, handle: StreamHandle) => resolve(handle);
      });
      const client = dial();
      return started(test, make(await accepted), client);
    },
  };
}

const tls: ChannelKind = {
  name: "socket, TLS",
  isUnix: false,
  isTls: true,
  async open(test) {
    const folder = mkdtempSync(join(tmpdir(), "tsgun-tls-"));
    test.after(() => rmSync(folder, { recursive: true, force: true }));
    const files = ["-keyout", join(folder, "key"), "-out", join(folder, "cert")];
    const subject = ["-nodes", "-days", "2", "-subj", "/CN=localhost"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    execFileSync("openssl", ["req", "-x509", ...curve, ...subject, ...files], { stdio: "ignore" });
    const [key, cert] = ["key", "cert"].map((name) => readFileSync(join(folder, name)));
    const server = createTlsServer({ key, cert, allowHalfOpen: true } as object);
    const dial = await listening(test, server, false);
    const accepted = once(server, "secureConnection");
    const client = connectTls({ socket: dial(), ca: cert as Buffer, servername: "localhost" });
    const [socket] = (await accepted) as [TLSSocket];
    return started(test, SocketChannel.over(socket), client);
  },
};

const HANDLE_KINDS: readonly ChannelKind[] = [
  accepting("handle, TCP", false, (handle) => new HandleChannel(handle)),
  accepting("handle, Unix", true, (handle) => new HandleChannel(handle)),
];

export const CHANNEL_KINDS: readonly ChannelKind[] = [
  ...(process.env.TSGUN_CHANNEL === "socket" ? [] : HANDLE_KINDS),
  accepting("socket, TCP", false, (handle) => SocketChannel.around(handle)),
  accepting("socket, Unix", true, (handle) => SocketChannel.around(handle)),
  tls,
];
