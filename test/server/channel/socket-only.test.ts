/** The engine's tests, with connections that are driven through sockets only. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const SERVER = join(import.meta.dirname, "..");
const ENGINE = join(SERVER, "engine");

const FILES = [
  ...readdirSync(ENGINE).map((name) => join(ENGINE, name)),
  ...["websocket", "worker-connections", "content-fault", "front/channel-front"].map((name) =>
    join(SERVER, `${name}.test.ts`),
  ),
];

test("the engine keeps its contract over sockets", { timeout: 240_000 }, async () => {
  const environment: NodeJS.ProcessEnv = { ...process.env, TSGUN_CHANNEL: "socket" };
  // Otherwise the runner takes it for a test file of its own.
  delete environment.NODE_TEST_CONTEXT;
  const args = ["--import", "@oxc-node/core/register", "--test", "--test-reporter", "tap", ...FILES];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: environment,
    maxBuffer: 2 ** 26,
  });
  assert.match(stdout, /^# fail 0$/m);
  assert.match(stdout, /^# pass [1-9]\d\d/m);
});
