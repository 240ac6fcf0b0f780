/**
 * A trial: the app is loaded once in a process that is thrown away, so that one that is broken costs no worker.
 * Nothing of it is started. The process has the workers' user, folder and environment.
 */
import type { ChildProcess } from "node:child_process";
import * as nodeModule from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../config/settings.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { FromTrial, Identity, Trial } from "../ipc/messages.ts";
import { startedChild } from "./child-process.ts";
import { killTree } from "./kill-tree.ts";

const PROGRAM = fileURLToPath(new URL(`../worker/trial${extname(import.meta.filename)}`, import.meta.url));

/** What systemd tells the arbiter is none of the app's business. */
const NOT_THEIRS = { NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined, WATCHDOG_PID: undefined };

/** Node ≥ 22.1 keeps what it has compiled for the next process. */
export const HAS_COMPILE_CACHE = "enableCompileCache" in nodeModule;

export interface TrialOptions {
  readonly config: Config;
  readonly identity: Identity;
  /** The folder to start in, links in it not resolved. */
  readonly folder: string;
  /** Ends the trial before its time; it then counts as passed. */
  readonly signal?: AbortSignal;
}

/**
 * Loads the app; returns what it was taken for, undefined when the trial was ended.
 * @throws FatalError as a worker would fail, with the app's own stack as its detail.
 */
export async function tryApp(options: TrialOptions): Promise<string | undefined> {
  const { config, signal } = options;
  const child = await startTrial(options);
  let timedOut = false;
  const end = (): void => killTree(child);
  const timer = setTimeout(() => {
    timedOut = true;
    end();
  }, config.bootTimeout);
  signal?.addEventListener("abort", end);
  try {
    const outcome = await outcomeOf(child, {
      starter: process.pid,
      identity: options.identity,
      settings: config,
    });
    if (outcome?.type === "loaded") return outcome.what;
    if (signal?.aborted === true) return undefined;
    if (outcome === undefined) throw timedOut ? overdue(config) : endedSilently(child);
    const detail = outcome.stack === undefined ? {} : { detail: outcome.stack };
    throw new FatalError(outcome.message, outcome.exitCode as ExitCode, detail);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

async function startTrial({ config, folder }: TrialOptions): Promise<ChildProcess> {
  try {
    return await startedChild({
      program: process.execPath,
      args: [...process.execArgv, PROGRAM],
      folder,
      env: { ...process.env, ...config.env, ...NOT_THEIRS },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  } catch (error) {
    const message = `no process could be started to load the app: ${(error as Error).message}`;
    throw new FatalError(message, ExitCode.workerBoot, { cause: error });
  }
}

/** What it says, when it has ended; undefined when it ends without a word. */
function outcomeOf(child: ChildProcess, trial: Trial<Config>): Promise<FromTrial | undefined> {
  return new Promise((resolve) => {
    let outcome: FromTrial | undefined;
    child.on("message", (message: FromTrial) => {
      outcome ??= message;
    });
    child.once("exit", () => resolve(outcome));
    child.send(trial, () => {});
  });
}

function overdue({ bootTimeout }: Config): FatalError {
  const message = `the app was not loaded within ${bootTimeout / 1000}s: raise --boot-timeout, or see what it waits for`;
  return new FatalError(message, ExitCode.workerBoot);
}

function endedSilently({ exitCode, signalCode }: ChildProcess): FatalError {
  const how = signalCode === null ? `ended the process with code ${exitCode}` : `died by ${signalCode}`;
  return new FatalError(`the app ${how} while it was loaded`, ExitCode.appLoad);
}
