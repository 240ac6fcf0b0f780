/** Deploys under load: a link moves to the new release, the server reloads, the old release is deleted. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { MIXED } from "../support/fault-stage.ts";
import { Load } from "../support/load.ts";

/** A release whose responses name it, which the mirror's do not. */
function release(folder: string, name: string): void {
  mkdirSync(join(folder, name));
  const mirror = readFileSync(join(FIXTURES, "faults", "mirror.mjs"), "utf8");
  const named = mirror.replace('"x-worker"', `"x-release": ${JSON.stringify(name)},\n    "x-worker"`);
  writeFileSync(join(folder, name, "app.mjs"), named);
}

function point(link: string, to: string): void {
  symlinkSync(to, `${link}.new`);
  renameSync(`${link}.new`, link);
}

async function serveReleases(context: TestContext, workers: number) {
  const folder = temporaryFolder(context);
  const current = join(folder, "current");
  release(folder, "release-1");
  point(current, "release-1");
  const args = ["app.mjs", "--bind", "127.0.0.1:0", "--workers", `${workers}`, "--chdir", current];
  const command = startCommand(context, args, { cwd: folder });
  await command.ready();
  return { folder, current, command, target: { port: await command.port() } };
}

for (const workers of [1, 4]) {
  test(`releases behind a link, each deleted after the next is live, ${workers} workers`, async (context) => {
    const { folder, current, command, target } = await serveReleases(context, workers);
    const loads = (["keep-alive", "close"] as const).map(
      (mode) => new Load(target, { mode, make: MIXED, clients: 4, rate: 80 }),
    );
    context.after(() => Promise.all(loads.map((load) => load.stop())));
    for (let number = 2; number <= 5; number++) {
      release(folder, `release-${number}`);
      point(current, `release-${number}`);
      command.kill("SIGHUP");
      await command.ready(number);
      rmSync(join(folder, `release-${number - 1}`), { recursive: true });
      await until("the new release answers, and no other", async () => {
        const names = await Promise.all(
          [1, 2, 3, 4].map(async () => (await ask(target)).headers["x-release"]),
        );
        return names.every((name) => name === `release-${number}`);
      });
      // A lost worker is replaced from the new release, although its folder did not exist at the start.
      const [victim] = command.workers();
      process.kill(victim as number, "SIGTERM");
      await until("it is replaced", () => {
        const pids = command.workers();
        return pids.length === workers && !pids.includes(victim as number);
      });
      await Promise.all(loads.map((load) => load.more(10)));
    }
    for (const load of loads) {
      await load.stop();
      load.assertNothingLost(40);
    }
    assert.deepEqual(command.lines(/ERROR|WARNING/), []);
  });
}
