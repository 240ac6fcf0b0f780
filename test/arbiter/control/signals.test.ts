/** Which operation each signal requests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operations } from "../../../src/arbiter/control/operations.ts";
import { type SignalDependencies, SignalOperations } from "../../../src/arbiter/control/signals.ts";
import type { Signal } from "../../../src/arbiter/event.ts";
import type { ArbiterLog } from "../../../src/arbiter/logs/arbiter-log.ts";
import { firstBoot } from "../../../src/arbiter/pool/desired.ts";
import { withStop } from "../../../src/arbiter/pool/stop.ts";
import type { ErrorLog } from "../../../src/log/error-log.ts";
import type { Terminal } from "../../../src/system/terminal.ts";
import { LIMITS } from "../../support/paper-pool.ts";

interface Situation {
  readonly terminal?: { readonly isInUse: boolean; readonly isGone: boolean };
  readonly stopsOnHangUp?: boolean;
  readonly isStopping?: boolean;
}

/** The operations that the signal requests, with their arguments. */
function requested(signal: Signal, situation: Situation = {}): string[] {
  const calls: string[] = [];
  const operations = new Proxy({} as Operations, {
    get: (_, name) => (argument?: unknown) => {
      calls.push(argument === undefined ? String(name) : `${String(name)} ${argument}`);
      return Promise.resolve();
    },
  });
  const { terminal = { isInUse: false, isGone: false }, stopsOnHangUp = false, isStopping } = situation;
  const desired = firstBoot(1, 1, LIMITS);
  const signals = new SignalOperations({
    operations,
    pool: { desired: isStopping === true ? withStop(desired, "graceful", 0) : desired },
    terminal: terminal as Terminal,
    log: {} as ErrorLog,
    arbiterLog: { signalled: () => {}, hungUp: () => {} } as unknown as ArbiterLog,
    stopsOnHangUp,
  } as SignalDependencies);
  signals.handle(signal);
  return calls;
}

const OPERATIONS: { readonly [signal in Signal]: string } = {
  SIGTERM: "stop graceful",
  SIGINT: "stop quick",
  SIGQUIT: "stop quick",
  SIGHUP: "reload",
  SIGTTIN: "addWorker",
  SIGTTOU: "removeWorker",
  SIGWINCH: "removeAllWorkers",
  SIGUSR1: "reopenLogs",
  SIGUSR2: "upgrade",
};

test("each signal requests its operation", () => {
  for (const [signal, operation] of Object.entries(OPERATIONS))
    assert.deepEqual(requested(signal as Signal), [operation], signal);
});

test("SIGWINCH is ignored in a terminal, where it means a resized window", () => {
  assert.deepEqual(requested("SIGWINCH", { terminal: { isInUse: true, isGone: false } }), []);
});

test("SIGHUP stops the server once its terminal has closed, and always if told so", () => {
  assert.deepEqual(requested("SIGHUP", { terminal: { isInUse: true, isGone: false } }), ["reload"]);
  assert.deepEqual(requested("SIGHUP", { terminal: { isInUse: true, isGone: true } }), [
    "stopServer graceful",
  ]);
  assert.deepEqual(requested("SIGHUP", { stopsOnHangUp: true }), ["stopServer graceful"]);
});

test("a second SIGHUP of a closed terminal does not hasten the stop", () => {
  assert.deepEqual(requested("SIGHUP", { stopsOnHangUp: true, isStopping: true }), []);
});
