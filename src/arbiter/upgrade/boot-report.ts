/**
 * The report of a started arbiter to the process that waits for it (the command of `--daemon`, or an older arbiter): it
 * serves, or why not. One line of JSON over a pipe, whose descriptor number is in the environment. Different versions
 * communicate here: fields may be added, but not changed.
 */
import { closeSync, writeSync } from "node:fs";
import type { Readable } from "node:stream";

export const REPORT_FD = "TSGUN_REPORT_FD";

export type BootOutcome =
  | { readonly ready: true }
  /** The reason, for messages, and the exit code that follows. */
  | { readonly failed: string; readonly exitCode: number };

/** Reads the report; undefined if the pipe closes without one. */
export function readBootReport(pipe: Readable): Promise<BootOutcome | undefined> {
  return new Promise((resolve) => {
    let text = "";
    pipe.setEncoding("utf8");
    pipe.on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end !== -1) resolve(parse(text.slice(0, end)));
    });
    pipe.on("error", () => undefined);
    pipe.on("close", () => resolve(undefined));
  });
}

function parse(line: string): BootOutcome | undefined {
  try {
    return JSON.parse(line) as BootOutcome;
  } catch {
    return undefined;
  }
}

/** The started arbiter's end of the pipe. Only the first report is sent. */
export class BootReport {
  #fd: number | undefined;
  #isSent = false;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Returns undefined if no process waits for a report. Removes the variable from the environment, so that child
   * processes do not use it, and makes this process the owner of the sockets that systemd passed to its parent. Call it
   * before `claimActivatedSockets`.
   */
  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): BootReport | undefined {
    const fd = env[REPORT_FD];
    delete env[REPORT_FD];
    if (fd === undefined || !/^\d{1,9}$/.test(fd)) return undefined;
    // systemd named the process that started this one.
    if (env.LISTEN_PID !== undefined) env.LISTEN_PID = String(process.pid);
    return new BootReport(Number(fd));
  }

  /** The pipe; undefined once it is closed. */
  get descriptor(): number | undefined {
    return this.#fd;
  }

  ready(): void {
    this.#send({ ready: true });
  }

  failed(message: string, exitCode: number): void {
    this.#send({ failed: message, exitCode });
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Forgets the descriptor. Call when its reader closes it: the number may be reused. */
  detach(): void {
    this.#fd = undefined;
  }

  #send(outcome: BootOutcome): void {
    if (this.#fd === undefined || this.#isSent) return;
    this.#isSent = true;
    try {
      writeSync(this.#fd, `${JSON.stringify(outcome)}\n`);
    } catch {
      // The waiting process has gone; this one serves all the same.
    }
  }
}
