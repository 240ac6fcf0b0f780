/**
 * The file that says which process is the server. It is claimed, never overwritten: a file whose process
 * lives is somebody's. In doubt the owner is taken to be alive: a start that fails with a clear message
 * costs less than two servers that believe in one file.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ExitCode, FatalError } from "../errors.ts";
import { exists, processState, procStat } from "./process-state.ts";
import { isTaken } from "./unix-socket.ts";

const MODE = 0o644;
/** Room for clocks that differ: the file's time is the file system's, the start time the kernel's. */
const CLOCK_SLACK_MS = 10_000;
/** The unit of the start time in /proc/PID/stat, the same on every architecture Node runs on (USER_HZ). */
const TICKS_PER_SECOND = 100;
const PS_TIMEOUT_MS = 1000;
const CLAIMS = 3;

interface Owner {
  /** Milliseconds since the epoch; absent when it cannot be told. */
  startedAt?: number;
  command: string;
}

function codeOf(error: unknown): string | undefined {
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
 * Whether the process that wrote the file at `writtenAt` still lives. Its number may have gone to another:
 * that one started after the file was written and is not called tsgun.
 */
function isAlive(pid: number, writtenAt: number, root: string): boolean {
  // After a container's restart, the file that was left names the number that is ours again.
  if (pid === process.pid || pid === 0 || !exists(pid)) return false;
  if (processState(pid, root) === "zombie") return false;
  const owner = ownerOf(pid, root);
  if (owner?.startedAt === undefined || /\btsgun\b/.test(owner.command)) return true;
  return owner.startedAt < writtenAt + CLOCK_SLACK_MS;
}

interface Found {
  text: string;
  /** Absent in an empty file. */
  pid?: number;
  writtenAt: number;
}

function read(path: string): Found | undefined {
  try {
    const text = readFileSync(path, "utf8").trim();
    const writtenAt = statSync(path).mtimeMs;
    if (text === "") return { text, writtenAt };
    if (!/^\d{1,10}$/.test(text)) {
      throw new FatalError(
        `${path} exists and is no pid file: give --pid another path, or delete it`,
        ExitCode.usage,
      );
    }
    return { text, writtenAt, pid: Number(text) };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function refuseLive(path: string, found: Found | undefined, root: string): void {
  if (found?.pid === undefined || !isAlive(found.pid, found.writtenAt, root)) return;
  throw new FatalError(
    `already running: ${path} names process ${found.pid}, which is alive; stop it first, or give --pid another path`,
    ExitCode.failure,
  );
}

/** Puts `draft` in place if nothing is there, in one step: it never exists half written. */
function place(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (isTaken(error)) return false;
    // A file system without hard links: no longer in one step, but still never over another's file.
    return placeExclusively(draft, path);
  }
  return true;
}

function placeExclusively(draft: string, path: string): boolean {
  try {
    writeFileSync(path, readFileSync(draft), { flag: "wx", mode: MODE });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Takes a stale file away, unless somebody has replaced it since it was judged: then it goes back. */
function discard(path: string, judged: Found): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  const taken = readFileSync(aside, "utf8").trim();
  if (taken !== judged.text) place(aside, path);
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
   * Claims `path` for this process. `root` is where /proc is looked for. Throws `FatalError` when the
   * file's process lives, when the file is something else, or when it cannot be written.
   */
  static claim(path: string, root = "/"): PidFile {
    const draft = `${path}.new.${process.pid}`;
    try {
      // What has this name is no draft of a process that lives, and may be somebody's link to another file.
      rmSync(draft, { force: true });
      writeFileSync(draft, `${process.pid}\n`, { flag: "wx" });
      // Whatever the umask: monitors of other users read it.
      chmodSync(draft, MODE);
      for (let claim = 0; claim < CLAIMS; claim++) {
        if (place(draft, path)) return new PidFile(path, root);
        const found = read(path);
        refuseLive(path, found, root);
        if (found !== undefined) discard(path, found);
      }
    } catch (error) {
      if (error instanceof FatalError) throw error;
      throw new FatalError(unwritable(path, error), ExitCode.failure, { cause: error });
    } finally {
      rmSync(draft, { force: true });
    }
    throw new FatalError(`another process keeps taking ${path}: start one server for it`, ExitCode.failure);
  }

  /** Deletes the file that a process left behind which ended without doing so. Never throws. */
  static clearUp(path: string, pid: number): void {
    try {
      if (read(path)?.pid === pid) rmSync(path, { force: true });
    } catch {
      // The next to claim it finds it stale.
    }
  }

  get path(): string {
    return this.#path;
  }

  /**
   * Takes the name that the previous server had (`x.2` becomes `x`), in one step. Throws `FatalError`
   * when that name belongs to a process that lives.
   *
   * @param gone a process that is known to be gone: the kernel gives the children of one that ends to another
   *   parent a moment before it says that it has ended
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

  /** Deletes the file if it still holds this process's number. Never throws: the process is on its way out. */
  remove(): void {
    PidFile.clearUp(this.#path, process.pid);
  }
}

function unwritable(path: string, error: unknown): string {
  if (codeOf(error) === "ENOENT")
    return `the pid file ${path} needs the directory ${dirname(path)}: create it`;
  return `the pid file ${path} cannot be written (${codeOf(error) ?? String(error)}): check its directory's owner and mode`;
}
