/** Clients that are rude with PROXY headers: thousands of parts of headers, silence, and resets within. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, until } from "../support/command.ts";
import { binaryHeader, PROXY, textHeader } from "../support/proxy-headers.ts";
import { Random } from "../support/random.ts";

const APP = `${join(FIXTURES, "proxy/ends.mjs")}:app`;
const CLIENTS = 3000;
/** Node's sockets take a few kB each; what the headers hold comes on top. */
const MOST_KB_EACH = 24;

/** The largest header, but for its last byte, and others cut off. */
const LARGEST = binaryHeader(PROXY, 0x11, Buffer.alloc(4096));
const PARTS = [
  LARGEST.subarray(0, -1),
  Buffer.from(textHeader("192.0.2.7").slice(0, -1)),
  LARGEST.subarray(0, 13),
];

function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

async function opened(port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  await once(socket, "connect");
  socket.write(bytes);
  return socket;
}

test(`${CLIENTS} clients with parts of headers cost little, are closed in time, and delay nobody`, async (context) => {
  if (process.platform !== "linux") return context.skip("memory is read from /proc");
  const args = [
    "-b",
    "127.0.0.1:0",
    "--no-control-socket",
    "--worker-connections",
    "0",
    "--header-timeout",
    "5s",
  ];
  const command = startCommand(context, [
    APP,
    ...args,
    "--proxy-protocol",
    "auto",
    "--proxy-allow-from",
    "127.0.0.1",
  ]);
  await command.ready();
  const port = await command.port();
  const [worker = 0] = command.workers();
  // Peers that are not allowed to send a header are served meanwhile: this one comes from another address.
  const other = { host: "127.0.0.1", port, localAddress: "127.0.0.2" };
  assert.equal((await ask(other)).status, 200);
  const before = residentKb(worker);
  const sockets: Socket[] = [];
  context.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  while (sockets.length < CLIENTS) {
    const more = Array.from({ length: 100 }, (_, at) => opened(port, PARTS[at % PARTS.length] as Buffer));
    sockets.push(...(await Promise.all(more)));
    assert.equal((await ask(other)).status, 200);
  }
  const each = (residentKb(worker) - before) / CLIENTS;
  assert.ok(each < MOST_KB_EACH, `${each} kB for each client`);
  await until("all are closed", async () => {
    assert.equal((await ask(other)).status, 200);
    for (const socket of sockets) socket.resume();
    return sockets.every((socket) => socket.destroyed || socket.readableEnded);
  });
  // One line for all of them.
  assert.equal(command.lines(/Refused a connection: the client sent no complete PROXY header/).length, 1);
});

test("resets at random places of a header and a request leave nothing behind", async (context) => {
  const args = ["-b", "127.0.0.1:0", "--no-control-socket", "--proxy-protocol", "auto"];
  const command = startCommand(context, [APP, ...args]);
  await command.ready();
  const port = await command.port();
  const random = new Random(14);
  const whole = Buffer.concat([
    binaryHeader(PROXY, 0x11, Buffer.alloc(12)),
    Buffer.from("GET /slow HTTP/1.0\r\n\r\n"),
  ]);
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = await opened(port, whole.subarray(0, random.below(whole.length + 1)));
        await new Promise((resolve) => setTimeout(resolve, random.below(20)));
        socket.resetAndDestroy();
      }),
    );
  }
  const [worker = 0] = command.workers();
  const socketsOf = (): number =>
    readFileSync(`/proc/${worker}/net/tcp`, "latin1").match(
      new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} \\S+ 01 `, "g"),
    )?.length ?? 0;
  if (process.platform === "linux") await until("no connection is left", () => socketsOf() === 0);
  const socket = await opened(port, whole);
  let text = "";
  for await (const chunk of socket.setEncoding("utf8")) text += chunk;
  assert.match(text, /^HTTP\/1\.1 200 /);
  assert.deepEqual(command.lines(/ERROR|Booting worker/).length, 1, command.stderr);
});
