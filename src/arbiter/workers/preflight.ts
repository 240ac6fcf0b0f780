/**
 * A trial: the app is loaded once in a process that is thrown away, so that one that is broken costs no worker.
 * Nothing of it is started. The process has the workers' user, folder and environment.
 */
import type { ChildProcess } from "node:child_process";
import * as nodeModule from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../../config/settings.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { type BootStep, describeUnfinished } from "../../ipc/boot-step.ts";
import type { FromTrial, Identity, Trial } from "../../ipc/messages.ts";
import { appEnvironment, startedChild } from "./child-process.ts";
import { killTree } from "./kill-tree.ts";

const PROGRAM = fileURLToPath(new URL(`../../worker/trial${extname(import.meta.filename)}`, import.meta.url));

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
    const { outcome, step } = await endOf(child, {
      starter: process.pid,
      identity: options.identity,
      settings: config,
    });
    if (outcome?.type === "loaded") return outcome.what;
    if (signal?.aborted === true) return undefined;
    if (outcome === undefined) throw timedOut ? overdue(config, step) : endedSilently(child);
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
      env: appEnvironment(config),
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  } catch (error) {
    const message = `no process could be started to load the app: ${(error as Error).message}`;
    throw new FatalError(message, ExitCode.workerBoot, { cause: error });
  }
}

interface TrialEnd {
  /** Undefined when it has ended without a word. */
  readonly outcome: Exclude<FromTrial, { type: "boot-step" }> | undefined;
  /** The last one that it took. */
  readonly step: BootStep | undefined;
}

function endOf(child: ChildProcess, trial: Trial<Config>): Promise<TrialEnd> {
  return new Promise((resolve) => {
    let outcome: TrialEnd["outcome"];
    let step: BootStep | undefined;
    child.on("message", (message: FromTrial) => {
      if (message.type === "boot-step") step = message;
      else outcome ??= message;
    });
    child.once("exit", () => resolve({ outcome, step }));
    child.send(trial, () => {});
  });
}

function overdue({ bootTimeout }: Config, step: BootStep | undefined): FatalError {
  const why = step === undefined ? "it has not begun" : describeUnfinished(step);
  const message = `the app was not loaded within ${bootTimeout / 1000}s: ${why}`;
  return new FatalError(message, ExitCode.workerBoot);
}

function endedSilently({ exitCode, signalCode }: ChildProcess): FatalError {
  const how = signalCode === null ? `ended the process with code ${exitCode}` : `died by ${signalCode}`;
  return new FatalError(`the app ${how} while it was loaded`, ExitCode.appLoad);
}
