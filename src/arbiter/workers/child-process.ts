/**
 * How the server starts a process: a worker, the arbiter of an upgrade, the preflight of --preload, the daemon. Node
 * reports a failed spawn in three ways: it throws (E2BIG, ENOMEM), emits `error` on a child without a pid (EACCES,
 * EAGAIN, ENOENT), or does that on a child that lacks `stdio` and `send` too (EMFILE, ENFILE). Here they are one.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import type { Config } from "../../config/settings.ts";
import { asOutOfDescriptors, OutOfDescriptors, requireDescriptors } from "../../native/descriptors.ts";

export interface ChildLaunch {
  readonly program: string;
  readonly args: readonly string[];
  /** The folder to start in. Default: the current one. */
  readonly folder?: string;
  /** The whole environment; a variable that is undefined is left out. */
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: readonly ("ignore" | "inherit" | "pipe" | "ipc" | number)[];
  /** In a session of its own. */
  readonly detached?: boolean;
  readonly argv0?: string;
}

/** What systemd tells the arbiter is none of the app's business, which may know the protocol too. */
const NOT_THEIRS = { NOTIFY_SOCKET: undefined, WATCHDOG_USEC: undefined, WATCHDOG_PID: undefined };

/** The environment of a process that loads the app. */
export function appEnvironment({ env }: Pick<Config, "env">): NodeJS.ProcessEnv {
  return { ...process.env, ...env, ...NOT_THEIRS };
}

/** A process could not be started. The message is the reason, to continue a sentence after a colon. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * Starts a process; never throws. When it cannot be started the result is undefined, and `failed` is called once,
 * in a later turn.
 *
 * @param start calls Node, where it is not `spawn` itself
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
    // A signal or a message that does not reach a running child: its end is the news.
    child.on("error", () => {});
    return child;
  }
  child.once("error", (error) => {
    child.on("error", () => {});
    // Without descriptors there are none, whatever the types say.
    for (const stream of child.stdio ?? []) stream?.destroy();
    if (child.connected) child.disconnect();
    fail(error);
  });
  return undefined;
}

/**
 * Starts a process, for code that can wait for it.
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

/** How many it takes at most: two for each pipe, two for libuv's own, and one for each that is put in its place. */
function descriptorsFor({ stdio }: ChildLaunch): number {
  const pipes = stdio.filter((end) => end === "pipe" || end === "ipc").length;
  return 2 * pipes + 2 + stdio.length;
}

/** What the system's errors mean where a process is started. */
const MEANINGS: Record<string, string> = {
  EAGAIN: "the system allows no more processes: see ulimit -u, systemd's TasksMax= or the container's limit",
  ENOMEM: "the system is out of memory",
};

function reasonOf(error: unknown, launch: ChildLaunch): string {
  if (error instanceof OutOfDescriptors) return error.message;
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  const meaning = meaningOf(code, launch);
  if (meaning !== undefined) return `${meaning} (${code})`;
  return asOutOfDescriptors(error)?.message ?? message;
}

function meaningOf(code: string, launch: ChildLaunch): string | undefined {
  if (code === "E2BIG") return oversize(launch);
  // Of a folder and of a program the system says the same.
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return obstacle(launch);
  return MEANINGS[code];
}

/** Which of the variables and arguments is to blame. The system bounds each of them, and all together. */
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

function obstacle({ folder = ".", program }: ChildLaunch): string | undefined {
  const place = "the folder to start in";
  // Looked for below it, so that a file is no folder.
  const entered = access(`${folder}/.`, constants.X_OK);
  if (entered === "ENOENT") return `${place} is gone: ${folder}`;
  if (entered === "ENOTDIR") return `${place} is a file: ${folder}`;
  if (entered !== undefined) return `${place} may not be entered: ${folder}`;
  const found = access(program, constants.X_OK);
  if (found === "ENOENT" || found === "ENOTDIR") return `the program is gone: ${program}`;
  return found === undefined ? undefined : `the program may not be executed: ${program}`;
}

/** The code of the system's error, undefined where access is granted. */
function access(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
