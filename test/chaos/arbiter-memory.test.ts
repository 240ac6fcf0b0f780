/**
 * The arbiter keeps nothing of a worker that has gone, of a reload and of a command. Its heap is compared object by
 * object, since its size varies by more than a leak of hundreds of steps. Many more steps: `npm run chaos:memory`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import { leftByEach, ProbedArbiter } from "./probed-arbiter.ts";

const LIVES = 100;
const RELOADS = 30;
const COMMANDS = 200;
const MANY_COMMANDS = 4000;
/** By then V8 would have grown it to 32 MB and more. */
const MAX_YOUNG_BYTES = 8_000_000;
/** 44 to 78 MB, of which up to 40 are the pages of node's program: other processes share them, or none. */
const MAX_BYTES = 100_000_000;
/** More than the records of ends that the arbiter keeps. */
const WARM_UP = 60;
/** Events and lines, of which the arbiter keeps hundreds, are plain objects. */
const PLAIN = /^object (Object|Array):/;

/** Sends so many commands, some at a time. */
async function ask(arbiter: ProbedArbiter, times: number, atATime = 1): Promise<void> {
  const paths = ["/status", "/workers", "/stats"];
  for (let done = 0; done < times; done += atATime)
    await Promise.all(
      Array.from({ length: atATime }, (_, at) =>
        requestControl(arbiter.controlSocket, "GET", paths[(done + at) % paths.length] as string),
      ),
    );
}

test("the arbiter keeps nothing of a worker that has gone", async (context) => {
  const arbiter = new ProbedArbiter(context, { shortLives: true, workers: 2 });
  await arbiter.live(WARM_UP);
  const [before, livesBefore] = [await arbiter.objects(), arbiter.lives];
  const descriptors = (await arbiter.memory()).descriptors;
  await arbiter.live(LIVES);
  const after = await arbiter.objects();
  const left = leftByEach(arbiter.lives - livesBefore, before, after);
  assert.deepEqual(
    left.filter((text) => !PLAIN.test(text)),
    [],
  );
  const { descriptors: now } = await arbiter.memory();
  assert.ok(now <= descriptors + 6, `${now} descriptors are open, before it were ${descriptors}`);
});

test("the arbiter keeps nothing of a reload and of a command", async (context) => {
  const arbiter = new ProbedArbiter(context, { shortLives: false, workers: 1 });
  await arbiter.command.ready();
  const reload = async (times: number): Promise<void> => {
    for (let round = 0; round < times; round++) await arbiter.reload();
  };
  await reload(WARM_UP / 2);
  await ask(arbiter, 30);
  const before = await arbiter.objects();
  await reload(RELOADS);
  const between = await arbiter.objects();
  const ofReloads = leftByEach(RELOADS, before, between).filter((text) => !PLAIN.test(text));
  assert.deepEqual(ofReloads, []);
  await ask(arbiter, COMMANDS);
  assert.deepEqual(leftByEach(COMMANDS, between, await arbiter.objects()), []);
});

test("the arbiter's memory stays small while many commands come at once", async (context) => {
  const arbiter = new ProbedArbiter(context, { shortLives: false, workers: 1 });
  await arbiter.command.ready();
  await ask(arbiter, MANY_COMMANDS, 20);
  const { young, pss } = await arbiter.memory();
  assert.ok(young <= MAX_YOUNG_BYTES, `the young generation has ${young} bytes`);
  assert.ok(pss <= MAX_BYTES, `it uses ${pss} bytes`);
});
