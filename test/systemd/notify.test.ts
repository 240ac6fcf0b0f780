import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { commandSender, libcSender, type Send } from "../../src/systemd/datagram.ts";
import { ServiceNotifier } from "../../src/systemd/notify.ts";
import { missing } from "../support/component.ts";
import { DatagramReceiver } from "../support/datagrams.ts";

const noSystemd = process.platform === "linux" ? false : "systemd is Linux's";
const noReceiver = noSystemd || missing("python3", "python3");
const noCommand = noReceiver || missing("systemd-notify", "systemd");

function socketPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-notify-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "notify");
}

async function bind(t: TestContext, name: string): Promise<DatagramReceiver> {
  const receiver = await DatagramReceiver.bind(name);
  t.after(() => receiver.close());
  return receiver;
}

/** A notifier that records its messages. */
function recorded(env: NodeJS.ProcessEnv, pid = 10) {
  const messages: string[] = [];
  const send: Send = async (message) => void messages.push(message);
  const notifier = new ServiceNotifier({
    env: { NOTIFY_SOCKET: "/run/notify", ...env },
    pid,
    connect: async () => send,
  });
  return { messages, notifier };
}

describe("datagrams reach a real socket", () => {
  for (const [name, connect, skip] of [
    ["through libc", libcSender, noReceiver],
    ["through the command", async (path: string) => commandSender(path), noCommand],
  ] as const) {
    test(`${name}, by path`, { skip }, async (t) => {
      const path = socketPath(t);
      const receiver = await bind(t, path);
      const send = await connect(path);
      await send("READY=1\nSTATUS=4 workers – grün");
      // The command sends a barrier afterwards, to learn when systemd has read the message.
      assert.deepEqual((await receiver.count(1))[0], ["READY=1", "STATUS=4 workers – grün"]);
    });

    test(`${name}, by abstract name`, { skip }, async (t) => {
      const path = `@tsgun-test-${process.pid}-${name.length}`;
      const receiver = await bind(t, path);
      await (await connect(path))("WATCHDOG=1");
      assert.deepEqual((await receiver.count(1))[0], ["WATCHDOG=1"]);
    });

    test(`${name}, without a receiver: rejected`, { skip }, async (t) => {
      const send = await connect(socketPath(t));
      await assert.rejects(send("READY=1"));
    });
  }

  test("the messages of a whole life arrive in order", { skip: noReceiver }, async (t) => {
    const path = socketPath(t);
    const receiver = await bind(t, path);
    const errors: Error[] = [];
    const notifier = new ServiceNotifier({
      env: { NOTIFY_SOCKET: path },
      onFailure: (error) => errors.push(error),
    });
    void notifier.status("booting");
    void notifier.ready("serving");
    void notifier.reloading();
    void notifier.ready();
    void notifier.mainPid(4711);
    void notifier.stopping("draining");
    await notifier.close();
    const received = (await receiver.count(6)).map((lines) => lines.join(" "));
    assert.deepEqual(errors, []);
    assert.match(received[2] ?? "", /^RELOADING=1 MONOTONIC_USEC=\d+$/);
    assert.deepEqual(received.toSpliced(2, 1), [
      "STATUS=booting",
      "READY=1 STATUS=serving",
      "READY=1",
      "MAINPID=4711",
      "STOPPING=1 STATUS=draining",
    ]);
  });
});

describe("the protocol", () => {
  test("the time of a reload is the machine's monotonic clock in microseconds", async () => {
    const { messages, notifier } = recorded({});
    const before = process.hrtime.bigint() / 1000n;
    await notifier.reloading();
    const usec = BigInt(messages[0]?.split("MONOTONIC_USEC=")[1] ?? 0);
    assert.ok(usec >= before && usec <= process.hrtime.bigint() / 1000n);
  });

  test("a status is one line", async () => {
    const { messages, notifier } = recorded({});
    await notifier.status("failed\nREADY=1\r\nat app.ts");
    assert.deepEqual(messages, ["STATUS=failed READY=1 at app.ts"]);
  });

  test("watchdog messages are sent every half interval, only while healthy, until closed", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const { messages, notifier } = recorded({ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "10" });
    let healthy = true;
    assert.equal(notifier.watchdogMs, 3000);
    notifier.startWatchdog(() => healthy);
    notifier.startWatchdog(() => healthy);
    t.mock.timers.tick(1500);
    t.mock.timers.tick(1499);
    healthy = false;
    t.mock.timers.tick(1500);
    healthy = true;
    t.mock.timers.tick(1);
    await notifier.close();
    t.mock.timers.tick(9000);
    assert.deepEqual(messages, ["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
  });

  test("there is no watchdog if none is configured, or for another process", () => {
    for (const env of [
      {},
      { WATCHDOG_USEC: "0" },
      { WATCHDOG_USEC: "soon" },
      { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "11" },
    ]) {
      const { messages, notifier } = recorded(env);
      notifier.startWatchdog();
      assert.equal(notifier.watchdogMs, undefined);
      assert.deepEqual(messages, []);
    }
    assert.equal(recorded({ WATCHDOG_USEC: "3000000" }).notifier.watchdogMs, 3000);
  });
});

describe("never fails the server", () => {
  test("without systemd every call does nothing", async () => {
    const notifier = new ServiceNotifier({
      env: { WATCHDOG_USEC: "1000" },
      connect: () => assert.fail("nothing is loaded"),
    });
    assert.equal(notifier.active, false);
    notifier.startWatchdog();
    await notifier.ready();
    await notifier.close();
  });

  test("a socket that cannot be reached is reported once", async () => {
    const errors: string[] = [];
    const notifier = new ServiceNotifier({
      env: { NOTIFY_SOCKET: "/nonexistent/notify" },
      onFailure: (error) => errors.push(error.message),
    });
    await notifier.ready();
    await notifier.status("still here");
    await notifier.close();
    assert.equal(errors.length, 1, errors.join());
  });

  test("a sender that cannot be created is reported once", async () => {
    const errors: string[] = [];
    const notifier = new ServiceNotifier({
      env: { NOTIFY_SOCKET: "/run/notify" },
      connect: () => Promise.reject(new Error("no way out")),
      onFailure: (error) => errors.push(error.message),
    });
    await notifier.ready();
    await notifier.stopping();
    assert.deepEqual(errors, ["no way out"]);
  });

  test("a failed message does not delay the next", async () => {
    const sent: string[] = [];
    let first = true;
    const notifier = new ServiceNotifier({
      env: { NOTIFY_SOCKET: "/run/notify" },
      connect: async () => async (message) => {
        if (first) {
          first = false;
          throw new Error("once");
        }
        sent.push(message);
      },
    });
    await notifier.status("lost");
    await notifier.ready();
    assert.deepEqual(sent, ["READY=1"]);
  });
});
