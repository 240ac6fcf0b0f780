/**
 * The preflight: loads the app once in a process that then exits, so that a broken app costs no worker. It starts
 * nothing of the app. The process has the workers' user, folder and environment.
 */
import type { ChildProcess } from "node:child_process";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";
import type { Config } from "../../config/settings.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { type BootStep, describeUnfinished } from "../../ipc/boot-step.ts";
import { seal, unseal } from "../../ipc/envelope.ts";
import { parseFromPreflight } from "../../ipc/from-worker.ts";
import type { FromPreflight, Identity, PreflightAssignment } from "../../ipc/messages.ts";
import { programUrl } from "../../ipc/programs.ts";
import { appEnvironment, settingsForApp, startedChild } from "./child-process.ts";
import { killTree } from "./kill-tree.ts";

const PROGRAM = fileURLToPath(programUrl("worker/preflight"));

/** Node ≥ 22.1 can keep compiled code for the next process. */
export const HAS_COMPILE_CACHE = "enableCompileCache" in nodeModule;

export interface PreflightOptions {
  readonly config: Config;
  readonly identity: Identity;
  /** The folder to start in, symbolic links not resolved. */
  readonly folder: string;
  /** Ends the preflight early; it then counts as passed. */
  readonly signal?: AbortSignal;
}

/**
 * Loads the app. Returns the name of what would serve it, or undefined if the preflight was ended by `signal`.
 * @throws FatalError with the message of a worker that fails to boot, and the app's own stack as detail
 */
export async function runPreflight(options: PreflightOptions): Promise<string | undefined> {
  const { config, signal } = options;
  const child = await startProcess(options);
  let timedOut = false;
  const kill = (): void => killTree(child);
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, config.bootTimeout);
  signal?.addEventListener("abort", kill);
  try {
    const { outcome, step } = await resultOf(child, {
      starter: process.pid,
      identity: options.identity,
      settings: settingsForApp(config),
    });
    if (outcome?.type === "loaded") return outcome.what;
    if (signal?.aborted === true) return undefined;
    if (outcome === undefined) throw timedOut ? timeoutError(config, step) : exitError(child);
    const detail = outcome.stack === undefined ? {} : { detail: outcome.stack };
    throw new FatalError(outcome.message, outcome.exitCode as ExitCode, detail);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", kill);
  }
}

async function startProcess({ config, folder }: PreflightOptions): Promise<ChildProcess> {
  try {
    return await startedChild({
      program: process.execPath,
      args: [...process.execArgv, PROGRAM],
      folder,
      env: appEnvironment(config),
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  } catch (error) {
    const message = `cannot start a process to load the app: ${(error as Error).message}`;
    throw new FatalError(message, ExitCode.workerBoot, { cause: error });
  }
}

interface PreflightResult {
  /** Undefined if the process ended without reporting one. */
  readonly outcome: Exclude<FromPreflight, { type: "boot-step" }> | undefined;
  /** The last boot step it entered. */
  readonly step: BootStep | undefined;
}

function resultOf(child: ChildProcess, assignment: PreflightAssignment<Config>): Promise<PreflightResult> {
  return new Promise((resolve) => {
    let outcome: PreflightResult["outcome"];
    let step: BootStep | undefined;
    child.on("message", (received) => {
      const message = parseFromPreflight(unseal(received));
      if (message === undefined) return;
      if (message.type === "boot-step") step = message;
      else outcome ??= message;
    });
    child.once("exit", () => resolve({ outcome, step }));
    child.send(seal(assignment), () => {});
  });
}

function timeoutError({ bootTimeout }: Config, step: BootStep | undefined): FatalError {
  const why = step === undefined ? "it has not begun" : describeUnfinished(step);
  const message = `the app was not loaded within ${bootTimeout / 1000}s: ${why}`;
  return new FatalError(message, ExitCode.workerBoot);
}

function exitError({ exitCode, signalCode }: ChildProcess): FatalError {
  const how = signalCode === null ? `ended the process with code ${exitCode}` : `died by ${signalCode}`;
  return new FatalError(`the app ${how} while it was loaded`, ExitCode.appLoad);
}
