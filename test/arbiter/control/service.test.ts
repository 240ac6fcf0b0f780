/** Notifications to systemd, derived from the pool's state. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Service, type ServiceState } from "../../../src/arbiter/control/service.ts";
import { type Desired, firstBoot } from "../../../src/arbiter/pool/desired.ts";
import type { Limits } from "../../../src/arbiter/pool/limits.ts";
import { withCandidate, withEstablished } from "../../../src/arbiter/pool/rollout.ts";
import * as workers from "../../../src/arbiter/pool/roster.ts";
import { withStop } from "../../../src/arbiter/pool/stop.ts";
import { ServiceNotifier } from "../../../src/systemd/notify.ts";

const LIMITS: Limits = { boot: 1000, graceful: 1000, silence: 1000, crashes: undefined };

function recorded(env: NodeJS.ProcessEnv = {}): {
  service: Service;
  messages: string[];
  sent(): Promise<string[]>;
} {
  const messages: string[] = [];
  const notifier = new ServiceNotifier({
    env: { NOTIFY_SOCKET: "/run/notify", ...env },
    pid: 10,
    connect: async () => async (message) => {
      messages.push(message.replace(/MONOTONIC_USEC=\d+/, "MONOTONIC_USEC=now").replaceAll("\n", " "));
    },
  });
  const service = new Service(notifier);
  const sent = async (): Promise<string[]> => {
    await service.close();
    return messages.splice(0);
  };
  return { service, messages, sent };
}

/** The state of a pool of two slots with a number of ready workers. */
function pool(ready: number, change: (desired: Desired) => Desired = (desired) => desired): ServiceState {
  let roster: workers.Roster = [];
  for (let id = 1; id <= 2; id++) {
    roster = workers.withSpawned(roster, { id, slot: id, generation: 1, maxSilence: 0 }, 0);
    if (id <= ready) roster = workers.withReady(roster, id, 0);
  }
  const desired = change(firstBoot(2, 1, LIMITS));
  return { desired, roster, reading: false, hasSuccessor: false };
}

const established = (desired: Desired): Desired => withEstablished(desired);

test("boot, a dead worker, a reload and the stop are each reported once", async () => {
  const { service, sent } = recorded();
  service.begin(() => {});
  service.settled(pool(0));
  service.settled(pool(1));
  service.settled(pool(1));
  assert.deepEqual(await sent(), [
    "STATUS=booting, 0 of 2 workers ready",
    "STATUS=booting, 1 of 2 workers ready",
  ]);
  service.settled(pool(2, established));
  service.settled(pool(1, established));
  service.settled(pool(2, established));
  assert.deepEqual(await sent(), [
    "READY=1 STATUS=2 of 2 workers ready, generation 1",
    "STATUS=1 of 2 workers ready, generation 1",
    "STATUS=2 of 2 workers ready, generation 1",
  ]);
  service.settled({ ...pool(2, established), reading: true });
  service.settled(pool(2, (desired) => withCandidate(established(desired), 2, 2, LIMITS)));
  service.settled(pool(2, established));
  assert.deepEqual(await sent(), [
    "RELOADING=1 MONOTONIC_USEC=now STATUS=2 of 2 workers ready, generation 1, reloading",
    "READY=1 STATUS=2 of 2 workers ready, generation 1",
  ]);
  service.settled(pool(2, (desired) => withStop(established(desired), "graceful", 0)));
  assert.deepEqual(await sent(), ["STOPPING=1 STATUS=stopping, 2 workers left"]);
});

test("an arbiter that is not the service yet reports nothing, and its state once it is", async () => {
  const { service, sent } = recorded();
  service.settled(pool(2, established));
  assert.deepEqual(await sent(), []);
  service.begin(() => {});
  service.settled(pool(2, established));
  assert.deepEqual(await sent(), ["READY=1 STATUS=2 of 2 workers ready, generation 1"]);
});

test("an arbiter that hands over names the new main process, and does not stop the service", async () => {
  const { service, sent } = recorded();
  service.begin(() => {});
  service.settled(pool(2, established));
  await sent();
  const stopping = pool(2, (desired) => withStop(established(desired), "graceful", 0));
  service.settled({ ...stopping, hasSuccessor: true });
  await service.handOver(4711);
  service.settled({ ...stopping, roster: [], hasSuccessor: true });
  assert.deepEqual(await sent(), ["MAINPID=4711"]);
});

test("the watchdog gets messages while the loop turns, and none when it is stuck", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { service, messages } = recorded({ WATCHDOG_USEC: "2000000" });
  const settled = async (): Promise<string[]> => {
    // Messages are sent one after the other, each in its own turn.
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return messages.splice(0);
  };
  let turns = true;
  service.begin(() => {
    if (turns) service.settled(pool(0));
  });
  assert.deepEqual(await settled(), ["STATUS=booting, 0 of 2 workers ready", "WATCHDOG=1"]);
  t.mock.timers.tick(1000);
  assert.deepEqual(await settled(), ["WATCHDOG=1"]);
  turns = false;
  t.mock.timers.tick(1000);
  assert.deepEqual(await settled(), ["WATCHDOG=1"]);
  t.mock.timers.tick(1000);
  t.mock.timers.tick(1000);
  assert.deepEqual(await settled(), []);
});
