/**
 * Starts every process of the server: workers, the arbiter of an upgrade, the preflight, the daemon. Node reports a
 * failed spawn in three ways: it throws (E2BIG, ENOMEM), emits `error` on a child without a pid (EACCES, EAGAIN,
 * ENOENT), or emits it on a child that also lacks `stdio` and `send` (EMFILE, ENFILE). Here all become one `StartError`.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import {
  type Config,
  environmentNames,
  SETTING_NAMES,
  type Setting,
  settings,
} from "../../config/settings.ts";
import { asOutOfDescriptors, OutOfDescriptors, requireDescriptors } from "../../native/descriptors.ts";
import { denialOf } from "../../native/permission-model.ts";

export interface ChildLaunch {
  readonly program: string;
  readonly args: readonly string[];
  /** Working directory. Default: the current one. */
  readonly folder?: string;
  /** The complete environment; undefined variables are left out. */
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: readonly ("ignore" | "inherit" | "pipe" | "ipc" | number)[];
  /** In a session of its own. */
  readonly detached?: boolean;
  readonly argv0?: string;
}

/** systemd's messages to the arbiter, kept from the app, which may know the protocol too. */
const WITHOUT_SYSTEMD_ENV = { NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined, WATCHDOG_PID: undefined };

const SECRETS = SETTING_NAMES.filter((name) => (settings[name] as Setting<unknown>).secret === true);
const WITHOUT_SECRET_ENV = Object.fromEntries(
  SECRETS.flatMap(environmentNames).map((variable) => [variable, undefined]),
);

/** The settings as the app's process gets them: secrets are the arbiter's own. */
export function settingsForApp(config: Config): Config {
  return { ...config, ...Object.fromEntries(SECRETS.map((name) => [name, undefined])) };
}

/** The environment of a process that loads the app, without the secrets of the arbiter. */
export function appEnvironment({ env }: Pick<Config, "env">): NodeJS.ProcessEnv {
  return { ...process.env, ...WITHOUT_SECRET_ENV, ...env, ...WITHOUT_SYSTEMD_ENV };
}

/** A process could not be started. The message is the reason, to follow a colon. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * Starts a process; never throws. If it cannot be started, returns undefined and calls `failed` once, in a later turn.
 *
 * @param start how to start it, if not with `spawn`
 */
export function startChild(
  launch: ChildLaunch,
  failed: (error: StartError) => void,
  start: (launch: ChildLaunch) => ChildProcess = spawnLaunch,
): ChildProcess | undefined {
  const fail = (cause: unknown): void => failed(new StartError(reasonOf(cause, launch), { cause }));
  let child: ChildProcess;
  try {
    requireDescriptors(descriptorsFor(launch));
    child = start(launch);
  } catch (error) {
    setImmediate(fail, error);
    return undefined;
  }
  if (child.pid !== undefined) {
    // A signal or message that does not reach a running child: its exit event follows.
    child.on("error", () => {});
    return child;
  }
  child.once("error", (error) => {
    child.on("error", () => {});
    // Contrary to its type, `stdio` is missing when the process is out of descriptors.
    for (const stream of child.stdio ?? []) stream?.destroy();
    if (child.connected) child.disconnect();
    fail(error);
  });
  return undefined;
}

/**
 * Starts a process, for callers that can await it.
 * @throws StartError
 */
export function startedChild(launch: ChildLaunch): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = startChild(launch, reject);
    if (child !== undefined) resolve(child);
  });
}

function spawnLaunch({ program, args, folder, stdio, ...options }: ChildLaunch): ChildProcess {
  const where: SpawnOptions = folder === undefined ? {} : { cwd: folder };
  return spawn(program, args, { ...options, ...where, stdio: [...stdio] });
}

/** Descriptors that a spawn needs at most: two for each pipe, two for libuv's own pipe, one for each entry of `stdio`. */
function descriptorsFor({ stdio }: ChildLaunch): number {
  const pipes = stdio.filter((end) => end === "pipe" || end === "ipc").length;
  return 2 * pipes + 2 + stdio.length;
}

/** Meaning of system errors when a process is started. */
const MEANINGS: Record<string, string> = {
  EAGAIN: "the system allows no more processes: see ulimit -u, systemd's TasksMax= or the container's limit",
  ENOMEM: "the system is out of memory",
};

function reasonOf(error: unknown, launch: ChildLaunch): string {
  if (error instanceof OutOfDescriptors) return error.message;
  const denial = denialOf(error);
  if (denial !== undefined) return denial;
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  const meaning = meaningOf(code, launch);
  if (meaning !== undefined) return `${meaning} (${code})`;
  return asOutOfDescriptors(error)?.message ?? message;
}

function meaningOf(code: string, launch: ChildLaunch): string | undefined {
  if (code === "E2BIG") return oversize(launch);
  // The error may concern the folder or the program: the code is the same.
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return pathObstacle(launch);
  return MEANINGS[code];
}

/** Names the largest variable or argument. The system limits each of them and their sum. */
function oversize({ env, args }: ChildLaunch): string {
  const named = Object.entries(env).map(([name, value = ""]) => ({ what: `the variable ${name}`, value }));
  const all = [...named, ...args.map((value, index) => ({ what: `argument ${index + 1}`, value }))];
  const size = (text: string): number => Buffer.byteLength(text);
  const largest = all.reduce((a, b) => (size(b.value) > size(a.value) ? b : a), {
    what: "nothing",
    value: "",
  });
  return `the environment is too large: ${largest.what} alone has ${size(largest.value)} bytes`;
}

function pathObstacle({ folder = ".", program }: ChildLaunch): string | undefined {
  // The trailing dot makes a file fail with ENOTDIR.
  const folderError = accessError(`${folder}/.`, constants.X_OK);
  if (folderError === "ENOENT") return `the working directory does not exist: ${folder}`;
  if (folderError === "ENOTDIR") return `the working directory is a file: ${folder}`;
  if (folderError !== undefined) return `no permission to enter the working directory: ${folder}`;
  const programError = accessError(program, constants.X_OK);
  if (programError === "ENOENT" || programError === "ENOTDIR")
    return `the program does not exist: ${program}`;
  return programError === undefined ? undefined : `no permission to execute the program: ${program}`;
}

/** Returns the system's error code, or undefined if access is granted. */
function accessError(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
