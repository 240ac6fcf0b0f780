/**
 * `--daemon`: the command starts itself again in a session of its own and stays until that one says that it
 * serves, or why not. Whoever ran the command learns from its exit code; nothing is guessed from time.
 * The two speak over one pipe: a line of JSON each way out, and its descriptor's number in the environment.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import type { Readable } from "node:stream";
import { ExitCode, FatalError } from "../errors.ts";

const REPORT_FD = "TSGUN_DAEMON_FD";
const FIRST_FREE_FD = 3;

type Report = { ready: true } | { failed: string; exitCode: number };

export interface DaemonOptions {
  /** Arguments of the command, without the program and the script. */
  readonly args: readonly string[];
  /** Files that take what the daemon prints; without, /dev/null. They are appended to. */
  readonly stdout?: string;
  readonly stderr?: string;
  /** Descriptors from 3 on that the daemon has to inherit under their numbers (socket activation). */
  readonly inherited?: number;
  /** Default: the file this process runs, `process.argv[1]`. */
  readonly script?: string;
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export interface DaemonOutcome {
  readonly exitCode: number;
  readonly pid: number;
  /** Why it did not start, for the standard error of the command. */
  readonly message?: string;
}

function openLog(path: string | undefined): number | "ignore" {
  if (path === undefined) return "ignore";
  try {
    return openSync(path, "a", 0o644);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new FatalError(`cannot open the log file ${path} (${code}): check its directory`, ExitCode.usage);
  }
}

function parse(line: string): Report | undefined {
  try {
    return JSON.parse(line) as Report;
  } catch {
    return undefined;
  }
}

/** The first whole line of the pipe; `undefined` when it closes without one. */
function firstLine(pipe: Readable): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    pipe.setEncoding("utf8");
    pipe.on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end !== -1) resolve(text.slice(0, end));
    });
    pipe.on("error", () => undefined);
    pipe.on("close", () => resolve(undefined));
  });
}

/**
 * In the command: starts the daemon and resolves when it is ready, has said why it failed, or has ended. A
 * SIGINT or SIGTERM meanwhile is passed on. Exit with the outcome's code. Throws `FatalError` when it
 * cannot be started.
 */
export async function startDaemon(options: DaemonOptions): Promise<DaemonOutcome> {
  const { args, inherited = 0, script = process.argv[1] as string } = options;
  const [out, err] = [openLog(options.stdout), openLog(options.stderr)];
  const handedOn = Array.from({ length: inherited }, (_, index) => FIRST_FREE_FD + index);
  const reportFd = FIRST_FREE_FD + inherited;
  const child = spawn(process.execPath, [...(options.execArgv ?? process.execArgv), script, ...args], {
    detached: true,
    env: { ...(options.env ?? process.env), [REPORT_FD]: String(reportFd) },
    stdio: ["ignore", out, err, ...handedOn, "pipe"],
  });
  for (const fd of [out, err]) if (fd !== "ignore") closeSync(fd);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) =>
      reject(new FatalError(`the daemon cannot be started: ${error.message}`, ExitCode.failure)),
    );
  });
  ended.catch(() => undefined);
  const passOn = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on("SIGINT", passOn);
  process.on("SIGTERM", passOn);
  try {
    const pipe = child.stdio[reportFd] as Readable;
    const line = await Promise.race([firstLine(pipe), ended.then(() => firstLine(pipe))]);
    const report = line === undefined ? undefined : parse(line);
    const pid = child.pid as number;
    if (report !== undefined && "ready" in report) {
      pipe.destroy();
      child.unref();
      return { exitCode: ExitCode.ok, pid };
    }
    if (report !== undefined) return { exitCode: report.exitCode, pid, message: report.failed };
    const { code, signal } = await ended;
    const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
    const message = `the daemon ${how} before it was ready: start without --daemon to see why`;
    return { exitCode: code === null || code === 0 ? ExitCode.failure : code, pid, message };
  } finally {
    process.off("SIGINT", passOn);
    process.off("SIGTERM", passOn);
  }
}

/** The daemon's end of the pipe. Only the first report counts. */
export class DaemonReport {
  #fd: number | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * In the daemon: the report it owes, or `undefined` where nobody waits for one. Takes the variable out
   * of the environment, so that neither workers nor a next arbiter (USR2) take themselves for the daemon,
   * and makes inherited sockets this process's own.
   */
  static owed(env: NodeJS.ProcessEnv = process.env): DaemonReport | undefined {
    const fd = env[REPORT_FD];
    delete env[REPORT_FD];
    if (fd === undefined) return undefined;
    // systemd named the process that was replaced by this one.
    if (env.LISTEN_PID !== undefined) env.LISTEN_PID = String(process.pid);
    return new DaemonReport(Number(fd));
  }

  ready(): void {
    this.#send({ ready: true });
  }

  failed(message: string, exitCode: number): void {
    this.#send({ failed: message, exitCode });
  }

  #send(report: Report): void {
    if (this.#fd === undefined) return;
    try {
      writeSync(this.#fd, `${JSON.stringify(report)}\n`);
      closeSync(this.#fd);
    } catch {
      // Whoever waited has gone: the daemon serves all the same.
    }
    this.#fd = undefined;
  }
}
