/** Lines to real receivers over each transport, and lines that are written while there is no receiver. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { MessageTarget } from "../../src/log/message-link.ts";
import { SyslogSink } from "../../src/log/syslog-sink.ts";
import { temporaryFolder, until } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { DatagramReceiver } from "../support/datagrams.ts";
import { receiveUdp, StreamReceiver } from "../support/syslog-servers.ts";

const noDatagrams = missing("python3");

function sinkTo(
  test: TestContext,
  target: MessageTarget,
  onUnreachable: (why: Error) => void = () => {},
): SyslogSink {
  const sink = new SyslogSink({ target, facility: "user", name: ["tsgun", "error"] }, { onUnreachable });
  test.after(() => sink.close());
  return sink;
}

/** Returns the lines without the head of their messages. */
function lines(received: readonly string[]): string[] {
  return received.map((message) => message.replace(/^<\d+>.*?(?:\]:| - -) /, ""));
}

function numbered(count: number, what = "line"): string[] {
  return Array.from({ length: count }, (_, index) => `${what} ${index}`);
}

test("UDP: one datagram per line, in order", async (context) => {
  const { port, received } = await receiveUdp(context);
  const sink = sinkTo(context, { transport: "udp", host: "localhost", port });
  const wanted = numbered(50);
  for (const line of wanted) sink.write(line, "info");
  await sink.close();
  await until("all are there", () => received.length === wanted.length);
  assert.deepEqual(lines(received), wanted);
  assert.match(received[0] as string, /^<14>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ tsgun\.error \d+ - - line 0$/);
});

test("TCP: one line per line, the last ones before the close", async (context) => {
  const receiver = await StreamReceiver.start(context);
  const sink = sinkTo(context, { transport: "tcp", host: "127.0.0.1", port: receiver.port });
  const wanted = numbered(10_000);
  for (const line of wanted) sink.write(line, "info");
  await sink.close();
  await until("all are there", () => receiver.received.length === wanted.length);
  assert.deepEqual(lines(receiver.received), wanted);
});

test("TCP: lines wait for a server that is not up yet, and for one that returns", async (context) => {
  const receiver = await StreamReceiver.start(context);
  const { port } = receiver;
  await receiver.stop();
  const troubles: Error[] = [];
  const sink = sinkTo(context, { transport: "tcp", host: "127.0.0.1", port }, (why) => troubles.push(why));
  sink.write("before", "info");
  await until("the missing receiver is noticed", () => troubles.length > 0);
  assert.match(troubles[0]?.message ?? "", /ECONNREFUSED/);
  await receiver.begin(port);
  await until("the line has come", () => receiver.received.length === 1);
  await receiver.stop();
  await receiver.begin(port);
  // Lines that are written before the end of the connection is known may be lost: TCP does not say.
  await until("lines come again", () => {
    sink.write("after", "info");
    return lines(receiver.received).includes("after");
  });
  assert.equal(troubles.length, 1, "an outage is told once");
});

test("the queue is bounded: the newest lines stay, and the server gets the number of lost ones", async (context) => {
  const receiver = await StreamReceiver.start(context);
  const { port } = receiver;
  await receiver.stop();
  const sink = sinkTo(context, { transport: "tcp", host: "127.0.0.1", port });
  const wanted = numbered(40_000, "a line of about a hundred bytes".padEnd(60, "."));
  for (const line of wanted) sink.write(line, "info");
  await receiver.begin(port);
  await until("the last one is there", () => lines(receiver.received).at(-1) === wanted.at(-1));
  const [first = "", ...rest] = lines(receiver.received);
  const lost = Number(/^(\d+) lines were lost/.exec(first)?.[1]);
  assert.equal(lost + rest.length, wanted.length);
  assert.ok(rest.length < 12_000, `${rest.length} lines waited`);
  assert.deepEqual(rest, wanted.slice(lost));
});

test("an unreachable server does not delay a close for long", async (context) => {
  const folder = temporaryFolder(context);
  const sink = sinkTo(context, { transport: "unix", path: join(folder, "log"), type: "stream" });
  sink.write("not received", "info");
  await sink.close();
  sink.write("nor this", "info");
});

for (const type of ["stream", undefined] as const) {
  test(`a Unix socket of type stream, ${type ?? "detected"}`, async (context) => {
    const path = join(temporaryFolder(context), "log");
    const receiver = await StreamReceiver.start(context, path);
    const sink = sinkTo(context, { transport: "unix", path, type });
    sink.write("one", "info");
    sink.write("two", "error");
    await until("both are there", () => receiver.received.length === 2);
    assert.match(receiver.received[0] ?? "", /^<14>\w{3} [ \d]\d [\d:]{8} tsgun\.error\[\d+\]: one$/);
    assert.match(receiver.received[1] ?? "", /^<11>.*: two$/);
  });
}

for (const type of ["dgram", undefined] as const) {
  const what = `a Unix socket that takes datagrams, ${type ?? "found out"}`;
  test(what, { skip: noDatagrams }, async (context) => {
    const path = join(temporaryFolder(context), "log");
    const receiver = await DatagramReceiver.bind(path);
    context.after(() => receiver.close());
    const sink = sinkTo(context, { transport: "unix", path, type });
    // More than a receiver's queue holds: the rest waits its turn.
    const wanted = numbered(2000);
    for (const line of wanted) sink.write(line, "info");
    await receiver.count(wanted.length);
    assert.deepEqual(lines(receiver.received.map(([line = ""]) => line)), wanted);
    assert.match(receiver.received[0]?.[0] ?? "", /^<14>\w{3} [ \d]\d [\d:]{8} tsgun\.error\[\d+\]: line 0$/);
  });
}

test("a recreated Unix socket is found again", { skip: noDatagrams }, async (context) => {
  const path = join(temporaryFolder(context), "log");
  const first = await DatagramReceiver.bind(path);
  const sink = sinkTo(context, { transport: "unix", path, type: "dgram" });
  sink.write("one", "info");
  await first.count(1);
  await first.close();
  rmSync(path);
  const wanted = numbered(5);
  for (const line of wanted) sink.write(line, "info");
  const second = await DatagramReceiver.bind(path);
  context.after(() => second.close());
  await second.count(wanted.length);
  assert.deepEqual(lines(second.received.map(([line = ""]) => line)), wanted);
});
