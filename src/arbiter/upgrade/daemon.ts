/**
 * `--daemon`: the command starts itself again in a new session and waits for its boot report. The exit code says whether
 * the server serves; nothing is inferred from elapsed time.
 */

import type { ChildProcess } from "node:child_process";
import { closeSync } from "node:fs";
import type { Readable } from "node:stream";
import { ExitCode, FatalError } from "../../errors.ts";
import { openAppending } from "../../log/appended-file.ts";
import { FIRST_INHERITED_FD } from "../../native/descriptors.ts";
import { startedChild } from "../workers/child-process.ts";
import { exitName } from "../workers/exit-name.ts";
import { REPORT_FD, readBootReport } from "./boot-report.ts";

export interface DaemonOptions {
  /** Arguments of the command, without the program and the script. */
  readonly args: readonly string[];
  /** Files to which the daemon's output is appended. Default: /dev/null. */
  readonly stdout?: string;
  readonly stderr?: string;
  /** Number of descriptors, from 3 on, that the daemon inherits under the same numbers (socket activation). */
  readonly inherited?: number;
  /** The script to run. Default: this process's own. */
  readonly script?: string;
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export interface DaemonOutcome {
  readonly exitCode: number;
  readonly pid: number;
  /** Why it did not start, for the command's standard error. */
  readonly message?: string;
}

function openLog(path: string | undefined): number | "ignore" {
  if (path === undefined) return "ignore";
  try {
    return openAppending(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === undefined ? `: ${message}` : ` (${code}): check its directory`;
    throw new FatalError(`cannot open the log file ${path}${why}`, ExitCode.usage);
  }
}

async function spawnDaemon(options: DaemonOptions, reportFd: number): Promise<ChildProcess> {
  const { args, inherited = 0, script = process.argv[1] as string } = options;
  const [out, err] = [openLog(options.stdout), openLog(options.stderr)];
  const passedOn = Array.from({ length: inherited }, (_, index) => FIRST_INHERITED_FD + index);
  try {
    return await startedChild({
      program: process.execPath,
      args: [...(options.execArgv ?? process.execArgv), script, ...args],
      detached: true,
      // As it was typed, so that an upgrade finds a newer program.
      argv0: process.argv0,
      env: { ...(options.env ?? process.env), [REPORT_FD]: String(reportFd) },
      stdio: ["ignore", out, err, ...passedOn, "pipe"],
    });
  } catch (error) {
    const message = `the daemon cannot be started: ${(error as Error).message}`;
    throw new FatalError(message, ExitCode.failure, { cause: error });
  } finally {
    for (const fd of [out, err]) if (fd !== "ignore") closeSync(fd);
  }
}

/**
 * Starts the daemon. Resolves when it is ready, has reported a failure, or has ended. Forwards SIGINT and SIGTERM
 * meanwhile. The command should exit with the outcome's code.
 * @throws FatalError if the daemon cannot be started
 */
export async function startDaemon(options: DaemonOptions): Promise<DaemonOutcome> {
  const reportFd = FIRST_INHERITED_FD + (options.inherited ?? 0);
  const child = await spawnDaemon(options, reportFd);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.on("SIGINT", forward);
  process.on("SIGTERM", forward);
  try {
    const pipe = child.stdio[reportFd] as Readable;
    const report = await Promise.race([readBootReport(pipe), ended.then(() => readBootReport(pipe))]);
    const pid = child.pid as number;
    if (report !== undefined && "ready" in report) {
      pipe.destroy();
      child.unref();
      return { exitCode: ExitCode.ok, pid };
    }
    // It removes its pid file and sockets until it ends.
    const { code, signal } = await ended;
    if (report !== undefined) return { exitCode: report.exitCode, pid, message: report.failed };
    const message = `the daemon ${exitName(code, signal)} before it was ready: start without --daemon to see why`;
    return { exitCode: code === null || code === 0 ? ExitCode.failure : code, pid, message };
  } finally {
    process.off("SIGINT", forward);
    process.off("SIGTERM", forward);
  }
}
