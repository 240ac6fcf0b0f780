/**
 * The pid file. It is claimed, never overwritten while the process it names is alive. In doubt the process counts as
 * alive: a start that fails with a clear message costs less than two servers that share one file.
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";
import { followLinks } from "../log/appended-file.ts";
import { exists, processState, procStat } from "./process-state.ts";
import { isTaken } from "./unix-socket.ts";

const FILE_MODE = 0o644;
/** Tolerates clocks that differ: the file's time is the file system's, the start time the kernel's. */
const CLOCK_SLACK_MS = 10_000;
/** Unit of the start time in /proc/PID/stat (USER_HZ); the same on every architecture that Node supports. */
const TICKS_PER_SECOND = 100;
const PS_TIMEOUT_MS = 1000;
const MAX_CLAIM_ATTEMPTS = 3;
/** More than any pid has: what is longer is no pid file. */
const MAX_BYTES = 64;

interface Owner {
  /** Milliseconds since the epoch; absent if unknown. */
  startedAt?: number;
  command: string;
}

function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function ownerFromProc(pid: number, root: string): Owner | undefined {
  // Field 22 of proc(5), counted from the state (3) here.
  const ticks = procStat(pid, root)?.[19];
  if (ticks === undefined) return undefined;
  const boot = /^btime (\d+)$/m.exec(readFileSync(join(root, "proc/stat"), "utf8"))?.[1];
  const command = readFileSync(join(root, `proc/${pid}/cmdline`), "utf8").replaceAll("\0", " ");
  if (boot === undefined) return { command };
  return { command, startedAt: (Number(boot) + Number(ticks) / TICKS_PER_SECOND) * 1000 };
}

function ownerFromPs(pid: number): Owner | undefined {
  const { status, stdout } = spawnSync("ps", ["-o", "lstart=,command=", "-p", String(pid)], {
    encoding: "utf8",
    timeout: PS_TIMEOUT_MS,
    env: { ...process.env, LC_ALL: "C" },
  });
  const found = status === 0 ? /^\s*(\w+ \w+ +\d+ [\d:]+ \d+) +(.*)$/m.exec(stdout) : null;
  if (found === null) return undefined;
  return { startedAt: Date.parse(found[1] as string), command: found[2] as string };
}

function ownerOf(pid: number, root: string): Owner | undefined {
  try {
    return ownerFromProc(pid, root) ?? ownerFromPs(pid);
  } catch {
    return undefined;
  }
}

/**
 * Whether the process that wrote the file at `writtenAt` is still alive. A process that reused its pid started after the
 * file was written and is not called tsgun.
 */
function isAlive(pid: number, writtenAt: number, root: string): boolean {
  // After a container restart, a leftover file may name our own pid.
  if (pid === process.pid || pid === 0 || !exists(pid)) return false;
  if (processState(pid, root) === "zombie") return false;
  const owner = ownerOf(pid, root);
  if (owner?.startedAt === undefined || /\btsgun\b/.test(owner.command)) return true;
  return owner.startedAt < writtenAt + CLOCK_SLACK_MS;
}

interface Content {
  text: string;
  /** Absent in an empty file. */
  pid?: number;
  writtenAt: number;
}

function read(path: string): Content | undefined {
  let file: number;
  try {
    // Others may have made what is there: neither follow their links nor wait for the writer of a pipe.
    const { path: real } = followLinks(path);
    file = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (errorCode(error) !== undefined) throw error;
    throw new FatalError((error as Error).message, ExitCode.usage);
  }
  try {
    const stats = fstatSync(file);
    const bytes = Buffer.alloc(MAX_BYTES);
    const text = stats.isFile() ? bytes.toString("latin1", 0, readSync(file, bytes)).trim() : undefined;
    const writtenAt = stats.mtimeMs;
    if (text === "") return { text, writtenAt };
    if (text === undefined || !/^\d{1,10}$/.test(text)) {
      throw new FatalError(
        `${path} exists but is not a pid file: give --pid another path, or delete it`,
        ExitCode.usage,
      );
    }
    return { text, writtenAt, pid: Number(text) };
  } finally {
    closeSync(file);
  }
}

function refuseLive(path: string, found: Content | undefined, root: string): void {
  if (found?.pid === undefined || !isAlive(found.pid, found.writtenAt, root)) return;
  throw new FatalError(
    `already running: ${path} names process ${found.pid}, which is alive; stop it first, or give --pid another path`,
    ExitCode.failure,
  );
}

function writeDraft(path: string): void {
  const file = openSync(path, "wx", FILE_MODE);
  try {
    // Regardless of the umask, because monitors of other users read the file.
    fchmodSync(file, FILE_MODE);
    writeFileSync(file, `${process.pid}\n`);
  } finally {
    closeSync(file);
  }
}

/** Puts `draft` in place atomically unless a file is there, so that the file is never half written. */
function place(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (isTaken(error)) return false;
    // No hard links on this file system: not atomic, but still never overwrites another's file.
    return placeExclusively(draft, path);
  }
  return true;
}

function placeExclusively(draft: string, path: string): boolean {
  try {
    writeFileSync(path, readFileSync(draft), { flag: "wx", mode: FILE_MODE });
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a stale file. Restores it if another process replaced it since the check. */
function removeStaleFile(path: string, checked: Content): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  const taken = readFileSync(aside, "utf8").trim();
  if (taken !== checked.text) place(aside, path);
  rmSync(aside, { force: true });
}

export class PidFile {
  readonly #root: string;
  #path: string;

  private constructor(path: string, root: string) {
    this.#path = path;
    this.#root = root;
  }

  /**
   * Claims `path` for this process. `root` is the folder that contains /proc.
   * @throws FatalError if the file's process is alive, if it is not a pid file, or if it cannot be written
   */
  static claim(path: string, root = "/"): PidFile {
    const draft = `${path}.new.${process.pid}`;
    try {
      // An existing file of this name belongs to no live process, and may be another user's link to some file.
      rmSync(draft, { force: true });
      writeDraft(draft);
      for (let attempt = 0; attempt < MAX_CLAIM_ATTEMPTS; attempt++) {
        if (place(draft, path)) return new PidFile(path, root);
        const found = read(path);
        refuseLive(path, found, root);
        if (found !== undefined) removeStaleFile(path, found);
      }
    } catch (error) {
      if (error instanceof FatalError) throw error;
      throw new FatalError(unwritable(path, error), ExitCode.failure, { cause: error });
    } finally {
      rmSync(draft, { force: true });
    }
    throw new FatalError(`another process keeps taking ${path}: start one server for it`, ExitCode.failure);
  }

  /** Deletes the pid file that an ended process left behind. Never throws. */
  static clearUp(path: string, pid: number): void {
    try {
      if (read(path)?.pid === pid) rmSync(path, { force: true });
    } catch {
      // The next claim will find it stale.
    }
  }

  get path(): string {
    return this.#path;
  }

  /**
   * Takes over the previous server's name atomically (`x.2` becomes `x`).
   *
   * @param gone a pid that is known to be gone: the kernel reparents the children of an exiting process shortly before it
   *   reports the exit
   * @throws FatalError if the name belongs to a live process
   */
  rename(path: string, gone?: number): void {
    const found = read(path);
    if (gone === undefined || found?.pid !== gone) refuseLive(path, found, this.#root);
    try {
      renameSync(this.#path, path);
    } catch (error) {
      throw new FatalError(unwritable(path, error), ExitCode.failure, { cause: error });
    }
    this.#path = path;
  }

  /** Deletes the file if it still names this process. Never throws: the process is exiting. */
  remove(): void {
    PidFile.clearUp(this.#path, process.pid);
  }
}

function unwritable(path: string, error: unknown): string {
  if (errorCode(error) === "ENOENT")
    return `the pid file ${path} needs the directory ${dirname(path)}: create it`;
  return `the pid file ${path} cannot be written (${errorCode(error) ?? String(error)}): check its directory's owner and mode`;
}
