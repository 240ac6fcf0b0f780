/** A client repeats a request that ends its worker, while other clients send good ones. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, until } from "../support/command.ts";
import { FaultStage } from "../support/fault-stage.ts";

/** Responses that each load must get after the last bad request, and the time for them: a boot, and a wait of a second. */
const AFTERWARDS = 12;
const AFTERWARDS_MS = 8000;

const SERVERS = [
  { workers: 1, app: "poison.mjs", how: "throw", times: 12 },
  { workers: 4, app: "poison.mjs", how: "kill", times: 30 },
  { workers: 4, app: "poison-listener.cjs", how: "throw", times: 30 },
] as const;

for (const { workers, app, how, times } of SERVERS) {
  test(`${times} requests that end their worker (${how}), ${workers} workers of ${app}`, async (context) => {
    const stage = await FaultStage.start(context, {
      workers,
      app,
      prepare(folder) {
        for (const file of ["mirror.mjs", "mirror-listener.cjs", "poison-ways.cjs"])
          copyFileSync(join(FIXTURES, "faults", file), join(folder, file));
      },
    });
    await stage.load();
    const answered = (): number =>
      [...stage.loads.values()].reduce((sum, { counts }) => sum + counts.answered, 0);
    const before = answered();
    for (let time = 0; time < times; time++)
      await assert.rejects(ask({ port: stage.port }, `/poison?${how}`), { code: /ECONNRESET|EPIPE/ });
    assert.ok(answered() > before, "no other request was answered");
    await Promise.all([...stage.loads.values()].map((load) => load.more(AFTERWARDS, AFTERWARDS_MS)));
    await stage.settled();
    await Promise.all([...stage.loads.values()].map((load) => load.stop()));
    for (const [name, { counts, failures, report }] of stage.loads) {
      const { refused, wrong, timedOut } = counts;
      assert.deepEqual(
        { refused, wrong, timedOut },
        { refused: 0, wrong: 0, timedOut: 0 },
        `${name}: ${report}`,
      );
      for (const { kind, text } of failures) assert.match(kind, /truncated|reset/, `${name}: ${text}`);
    }
    const suspected =
      /Possible cause of the crashes: GET \/poison was in flight in each of the last 3 deaths/;
    assert.ok(stage.command.lines(suspected).length > 0, stage.command.stderr);
    await stage.end();
  });
}

test("a fixed release can be deployed while the bad requests continue", async (context) => {
  const stage = await FaultStage.start(context, {
    workers: 4,
    app: "poison.mjs",
    prepare: (folder) => {
      for (const file of ["mirror.mjs", "poison-ways.cjs"])
        copyFileSync(join(FIXTURES, "faults", file), join(folder, file));
    },
  });
  let poisons = 0;
  let isMended = false;
  const client = async (): Promise<void> => {
    while (!isMended && stage.command.exit === undefined) {
      const answer = await ask({ port: stage.port }, "/poison").catch(() => undefined);
      isMended = answer?.status === 200;
      poisons += 1;
    }
  };
  const looping = client();
  await until("many workers have died", () => poisons > 12);
  stage.deploy('export { handler } from "./mirror.mjs";\n');
  stage.command.kill("SIGHUP");
  await stage.command.ready(2);
  await looping;
  assert.deepEqual(stage.command.lines(/Reload failed/), []);
  await stage.settled();
  await stage.end();
});
