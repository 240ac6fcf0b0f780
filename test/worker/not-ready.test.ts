/** An app says that its worker is not ready: `/health/ready` and `tsgun ctl` tell why; everything else goes on. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { type Answer, ask } from "../support/ask.ts";
import { COMMAND, FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";

const APP = `${join(FIXTURES, "pool", "unready.mjs")}:handler`;

async function serve(context: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = {}, app = APP) {
  const folder = temporaryFolder(context);
  const [health, control] = [join(folder, "health.sock"), join(folder, "ctl.sock")];
  const sockets = [
    "-b",
    "unix:app.sock",
    "--worker-bind",
    "unix:{slot}.sock",
    "--admin-bind",
    `unix:${health}`,
  ];
  const words = [app, ...args, ...sockets, "--control-socket", control];
  const command = startCommand(context, words, { cwd: folder, env });
  await command.ready();
  return {
    command,
    tell: (slot: number, path: string): Promise<Answer> => ask({ path: join(folder, `${slot}.sock`) }, path),
    /** Waits until the server is ready or not, and returns the reason. */
    isReady: (ready: boolean): Promise<string> =>
      until(`it is ${ready ? "" : "not "}ready`, async () => {
        const { status, text } = await ask({ path: health }, "/health/ready");
        return status === (ready ? 200 : 503) && String(JSON.parse(text).reason);
      }),
    isLive: async (): Promise<boolean> => (await ask({ path: health }, "/health/live")).status === 200,
    ctl: async (word: string): Promise<string> => {
      const words = [COMMAND, "ctl", "--control-socket", control, word];
      return (await promisify(execFile)(process.execPath, words)).stdout;
    },
  };
}

test("a worker whose app is not ready does not count as ready, and serves on", async (context) => {
  const { command, tell, isReady, isLive, ctl } = await serve(context, ["-w", "2"]);
  await tell(1, "/away");
  assert.equal(await isReady(true), "ok");
  await until("ctl shows it", async () => /NOT READY\n.*the database is away/s.test(await ctl("workers")));
  assert.doesNotMatch(await ctl("status"), /not ready/);
  await tell(2, "/away");
  const reason = "0 workers ready, 1 wanted; the app of 2 workers says: the database is away";
  assert.equal(await isReady(false), reason);
  assert.equal(await isLive(), true);
  assert.match(await ctl("status"), new RegExp(`^not ready  ${reason}$`, "m"));
  assert.equal((await tell(1, "/")).text, "1");
  await tell(1, "/away");
  await tell(1, "/back");
  assert.equal(await isReady(true), "ok");
  await tell(2, "/back");
  await until("no worker is unready", async () => !/NOT READY/.test(await ctl("workers")));
  assert.deepEqual(command.lines(/WARNING|ERROR/), []);
});

test("an app may say so while it starts; the reason goes with the worker", async (context) => {
  const { command, isReady } = await serve(context, ["-e", "UNREADY=the cache is cold", "--min-ready", "1"]);
  assert.equal(
    await isReady(false),
    "0 workers ready, 1 wanted; the app of 1 worker says: the cache is cold",
  );
  const [worker = 0] = command.workers();
  process.kill(worker, "SIGKILL");
  await until("another worker is there", () => command.workers().some((pid) => pid !== worker));
  await until("it says so too", async () => /the cache is cold$/.test(await isReady(false)));
});

for (const [kind, app] of [
  ["a fetch app", "unready-fetch.mjs"],
  ["a server of CommonJS", "unready-server.cjs"],
] as const) {
  test(`${kind} may say so as well`, async (context) => {
    const { tell, isReady, isLive } = await serve(context, [], {}, join(FIXTURES, "pool", app));
    await tell(1, "/away");
    const reason = "0 workers ready, 1 wanted; the app of 1 worker says: the queue is away";
    assert.equal(await isReady(false), reason);
    assert.equal(await isLive(), true);
    assert.equal((await tell(1, "/back")).text, "ok");
    await isReady(true);
  });
}
