/** The events that the arbiter's log lines become. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArbiterLog } from "../../../src/arbiter/logs/arbiter-log.ts";
import { ServerEvents } from "../../../src/arbiter/logs/server-events.ts";
import type { StallReport } from "../../../src/ipc/stall-report.ts";
import { ErrorLog } from "../../../src/log/error-log.ts";

const STUCK: StallReport = {
  kind: "stuck",
  pid: 12,
  time: "2026-01-31T23:59:59.000Z",
  blockedForMs: 2000,
  inNative: false,
  mainThread: "running",
  stack: ["at count (/srv/shop/app.ts:4:2)", "at search (/srv/shop/app.ts:9:1)"],
  inFlight: [],
  children: [],
};

test("the event of a blocked worker is one line, which names the innermost frame", () => {
  const events = new ServerEvents();
  new ArbiterLog(new ErrorLog({ target: "/dev/null" }), events).stall(STUCK);
  const native = { ...STUCK, inNative: true, stack: [] };
  new ArbiterLog(new ErrorLog({ target: "/dev/null" }), events).stall(native);
  const [first, second] = events.log.since().map(({ message }) => message);
  assert.equal(first, "Worker 12: the event loop has been blocked for 2.0 s at count (/srv/shop/app.ts:4:2)");
  assert.match(
    second ?? "",
    /^Worker 12: the event loop has been blocked for 2\.0 s, probably in native code/,
  );
});
