/** Loads apps as a worker does: with the built loader, in a process of its own. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Loading {
  readonly spec: string;
  readonly interface?: string;
  /** A folder of test/fixtures/apps, or an absolute path. */
  readonly cwd: string;
  /** False to load without sending a request. */
  readonly ask?: boolean;
  /** Allows Node to warn on stderr. */
  readonly warnings?: boolean;
}

export interface SeenError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly exitCode?: number;
  readonly cause?: SeenError & { readonly thrown?: string };
}

export interface Loaded {
  readonly kind: "gateway" | "node" | "server";
  readonly what: string;
  /** True when the TypeScript hooks had been registered by then. */
  readonly hooks: boolean;
  /** The app's response to `GET /`. */
  readonly answer?: { readonly status: number; readonly body: string; readonly upgrades?: boolean };
  readonly threw?: SeenError;
  readonly failed?: SeenError;
}

export const APP_FIXTURES = join(import.meta.dirname, "..", "fixtures", "apps");

/** Loads in one process, in the order given. Fails the test when the process writes to stderr or dies. */
export async function load(...jobs: Loading[]): Promise<Loaded[]> {
  const placed = jobs.map((job) => ({
    ...job,
    cwd: join(job.cwd.startsWith("/") ? "" : APP_FIXTURES, job.cwd),
  }));
  const script = join(import.meta.dirname, "load-apps.mjs");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, JSON.stringify(placed)], {
    env: { ...process.env, NODE_OPTIONS: "" },
    timeout: 60_000,
  });
  if (!jobs.some((job) => job.warnings)) assert.equal(stderr, "");
  return JSON.parse(stdout) as Loaded[];
}

/** Loads one app and gives the line that it fails with, once that is known to be one line and exit code 4. */
export async function failureOf(job: Loading): Promise<SeenError> {
  const [result] = await load(job);
  return fatal(result, job.spec);
}

export function fatal(result: Loaded | undefined, spec: string): SeenError {
  const failed = result?.failed;
  assert.ok(failed, `${spec} was loaded: ${JSON.stringify(result)}`);
  assert.equal(failed.name, "FatalError", failed.stack);
  assert.equal(failed.exitCode, 4);
  assert.doesNotMatch(failed.message, /\n/);
  return failed;
}
