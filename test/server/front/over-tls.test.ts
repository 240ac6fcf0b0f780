/** The suites of both servers, with connections that go through a front with a stage of TLS. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const SERVER = join(import.meta.dirname, "..");
const ENGINE = join(SERVER, "engine");

const FILES = [
  ...readdirSync(ENGINE)
    // Its client is fetch, which does not know the authority.
    .filter((name) => name !== "date.test.ts")
    .map((name) => join(ENGINE, name)),
  ...["websocket", "content-fault"].map((name) => join(SERVER, `${name}.test.ts`)),
  ...["node-server", "close-connections"].map((name) => join(SERVER, "node", `${name}.test.ts`)),
];

test("both servers keep their contract over TLS", { timeout: 290_000 }, async () => {
  const environment: NodeJS.ProcessEnv = { ...process.env, TSGUN_TEST_TLS: "1" };
  // Otherwise the runner takes it for a test file of its own.
  delete environment.NODE_TEST_CONTEXT;
  const args = ["--import", "@oxc-node/core/register", "--test", "--test-reporter", "tap", ...FILES];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: environment,
    maxBuffer: 2 ** 26,
  }).catch(({ stdout }: { stdout: string }) => ({ stdout }));
  const failed = stdout.match(/^ *not ok .*$/gm) ?? [];
  assert.deepEqual(failed, [], stdout);
  assert.match(stdout, /^# pass [1-9]\d\d/m);
});
