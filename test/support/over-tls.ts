/** Runs test files over TLS (see tls-front.ts), under one version of Node. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { otherNodes } from "./other-nodes.ts";

export interface NodeVersion {
  readonly version: string;
  readonly path: string;
}

function versionOf(path: string): NodeVersion {
  return { version: execFileSync(path, ["--version"], { encoding: "utf8" }).trim(), path };
}

/** The version that runs the test, and 24, the one that most have. */
export function nodesForTls(): readonly NodeVersion[] {
  const others = otherNodes.map(versionOf).filter(({ version }) => version.startsWith("v24."));
  return [versionOf(process.execPath), ...others];
}

/** @param atLeast tests that the files have, so that a run of none is no success */
export async function passOverTls(
  { path }: NodeVersion,
  files: readonly string[],
  atLeast: number,
): Promise<void> {
  const environment: NodeJS.ProcessEnv = { ...process.env, TSGUN_TEST_TLS: "1" };
  // Otherwise the runner takes it for a test file of its own.
  delete environment.NODE_TEST_CONTEXT;
  const args = ["--import", "@oxc-node/core/register", "--test", "--test-reporter", "tap", ...files];
  const options = { env: environment, maxBuffer: 2 ** 26 };
  const { stdout } = await promisify(execFile)(path, args, options).catch(
    ({ stdout }: { stdout: string }) => ({ stdout }),
  );
  const failed = stdout.match(/^ *not ok .*$/gm) ?? [];
  assert.deepEqual(failed, [], stdout);
  const passed = Number(/^# pass (\d+)$/m.exec(stdout)?.[1] ?? 0);
  assert.ok(passed >= atLeast, `${passed} tests passed, not ${atLeast}: ${stdout.slice(-2000)}`);
}
