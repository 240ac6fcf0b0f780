/**
 * How a started arbiter tells whoever waits for it (the command behind `--daemon`, an older arbiter) that it
 * serves, or why not: one line of JSON over a pipe, whose descriptor's number is in the environment. Newer and
 * older versions talk here: a field may be added, none may change.
 */
import { closeSync, writeSync } from "node:fs";
import type { Readable } from "node:stream";

export const REPORT_FD = "TSGUN_REPORT_FD";

export type BootOutcome =
  | { readonly ready: true }
  /** Why, for people, and the exit code that follows. */
  | { readonly failed: string; readonly exitCode: number };

/** The report, undefined when the pipe closes without one. */
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

/** The started process's end of the pipe. Only the first report counts. */
export class BootReport {
  #fd: number | undefined;
  #given = false;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * The report that this process owes, or `undefined` where nobody waits for one. Takes the variable out of
   * the environment, so that nobody this process starts takes it for its own, and makes inherited sockets
   * this process's own. Call it before `claimActivatedSockets`.
   */
  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): BootReport | undefined {
    const fd = env[REPORT_FD];
    delete env[REPORT_FD];
    if (fd === undefined || !/^\d{1,9}$/.test(fd)) return undefined;
    // systemd named the process that was replaced by this one.
    if (env.LISTEN_PID !== undefined) env.LISTEN_PID = String(process.pid);
    return new BootReport(Number(fd));
  }

  /** The pipe, until it is closed. */
  get descriptor(): number | undefined {
    return this.#fd;
  }

  ready(): void {
    this.#give({ ready: true });
  }

  failed(message: string, exitCode: number): void {
    this.#give({ failed: message, exitCode });
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** The pipe has ended and its descriptor is closed by whoever reads it: the number may be another file's. */
  detach(): void {
    this.#fd = undefined;
  }

  #give(report: BootOutcome): void {
    if (this.#fd === undefined || this.#given) return;
    this.#given = true;
    try {
      writeSync(this.#fd, `${JSON.stringify(report)}\n`);
    } catch {
      // Whoever waited has gone: this process serves all the same.
    }
  }
}
