/**
 * `--daemon`: the command starts itself again in a session of its own and stays until that one says that it
 * serves, or why not. Whoever ran the command learns from its exit code; nothing is guessed from time.
 */

import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Readable } from "node:stream";
import { ExitCode, FatalError } from "../../errors.ts";
import { FIRST_INHERITED_FD } from "../../native/descriptors.ts";
import { startedChild } from "../workers/child-process.ts";
import { REPORT_FD, readBootReport } from "./boot-report.ts";

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

async function spawnDaemon(options: DaemonOptions, reportFd: number): Promise<ChildProcess> {
  const { args, inherited = 0, script = process.argv[1] as string } = options;
  const [out, err] = [openLog(options.stdout), openLog(options.stderr)];
  const handedOn = Array.from({ length: inherited }, (_, index) => FIRST_INHERITED_FD + index);
  try {
    return await startedChild({
      program: process.execPath,
      args: [...(options.execArgv ?? process.execArgv), script, ...args],
      detached: true,
      // As it was typed: an upgrade looks there for a newer program.
      argv0: process.argv0,
      env: { ...(options.env ?? process.env), [REPORT_FD]: String(reportFd) },
      stdio: ["ignore", out, err, ...handedOn, "pipe"],
    });
  } catch (error) {
    const message = `the daemon cannot be started: ${(error as Error).message}`;
    throw new FatalError(message, ExitCode.failure, { cause: error });
  } finally {
    for (const fd of [out, err]) if (fd !== "ignore") closeSync(fd);
  }
}

/**
 * In the command: starts the daemon and resolves when it is ready, has said why it failed, or has ended. A
 * SIGINT or SIGTERM meanwhile is passed on. Exit with the outcome's code. Throws `FatalError` when it
 * cannot be started.
 */
export async function startDaemon(options: DaemonOptions): Promise<DaemonOutcome> {
  const reportFd = FIRST_INHERITED_FD + (options.inherited ?? 0);
  const child = await spawnDaemon(options, reportFd);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const passOn = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on("SIGINT", passOn);
  process.on("SIGTERM", passOn);
  try {
    const pipe = child.stdio[reportFd] as Readable;
    const report = await Promise.race([readBootReport(pipe), ended.then(() => readBootReport(pipe))]);
    const pid = child.pid as number;
    if (report !== undefined && "ready" in report) {
      pipe.destroy();
      child.unref();
      return { exitCode: ExitCode.ok, pid };
    }
    // What it leaves (the pid file, the sockets) is cleared up when it has ended.
    const { code, signal } = await ended;
    if (report !== undefined) return { exitCode: report.exitCode, pid, message: report.failed };
    const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
    const message = `the daemon ${how} before it was ready: start without --daemon to see why`;
    return { exitCode: code === null || code === 0 ? ExitCode.failure : code, pid, message };
  } finally {
    process.off("SIGINT", passOn);
    process.off("SIGTERM", passOn);
  }
}
