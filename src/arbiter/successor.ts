/** The old arbiter's view of the one that is to follow it: starts its process, lets go, or ends it. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import type { Listener } from "./bind.ts";
import { REPORT_FD, type Report, readReport } from "./boot-report.ts";
import { describeEnding, type Ending } from "./event.ts";
import { HANDOVER, type Handover, type SuccessorEvent } from "./handover.ts";
import type { Invocation } from "./invocation.ts";

export interface SuccessorLaunch {
  readonly invocation: Invocation;
  readonly listeners: readonly Listener[];
  /** How long it may take until it serves, in milliseconds. */
  readonly bootTime: number;
}

/** The first descriptor behind standard input, output and error. */
const FIRST_INHERITED = 3;

/** How long a successor that is told to go may take, in milliseconds, before it is killed. */
const END_TIME = 5000;

export class Successor {
  /** Resolves when its process has ended. */
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #post: (event: SuccessorEvent) => void;
  #failure: string | undefined;
  #timer: NodeJS.Timeout;
  #ready = false;
  #ended = false;

  constructor(launch: SuccessorLaunch, post: (event: SuccessorEvent) => void) {
    const { invocation, listeners, bootTime } = launch;
    this.#post = post;
    const reportFd = FIRST_INHERITED + listeners.length;
    this.#child = spawn(invocation.program, invocation.args, {
      cwd: invocation.folder,
      detached: true,
      env: environmentFor(listeners, reportFd),
      stdio: ["ignore", "inherit", "inherit", ...listeners.map(({ descriptor }) => descriptor), "pipe"],
    });
    this.#pipe = this.#child.stdio[reportFd] as Duplex;
    this.#timer = setTimeout(() => post({ type: "overdue" }), bootTime);
    this.exited = this.#watchEnd(this.#watchReport());
  }

  /** Undefined when the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** It has said that it serves. */
  get isReady(): boolean {
    return this.#ready;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Tells it that this arbiter begins to go. */
  leave(): void {
    if (this.#pipe.writable) this.#pipe.write("leaving\n");
  }

  /** Makes it the server. */
  release(): void {
    clearTimeout(this.#timer);
    this.#pipe.destroy();
  }

  /** Ends it: first as a stop, then by force. `why` is what is said of its end, if it says nothing itself. */
  end(why: string): void {
    this.#failure ??= why;
    clearTimeout(this.#timer);
    this.#child.kill("SIGTERM");
    this.#timer = setTimeout(() => this.#child.kill("SIGKILL"), END_TIME);
  }

  async #watchReport(): Promise<void> {
    const report: Report | undefined = await readReport(this.#pipe);
    if (report === undefined) return;
    if ("failed" in report) {
      this.#failure = report.failed;
      return;
    }
    this.#ready = true;
    clearTimeout(this.#timer);
    this.#post({ type: "ready" });
  }

  #watchEnd(reported: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const gone = (ending: Ending): void => {
        clearTimeout(this.#timer);
        this.#ended = true;
        this.#post({ type: "gone", why: this.#failure ?? `the new arbiter ${describeEnding(ending)}` });
        resolve();
      };
      this.#child.once("error", (error) => {
        if (this.pid === undefined) gone({ code: null, signal: null, error });
      });
      // What it had to say is read first.
      this.#child.once("exit", (code, signal) => void reported.then(() => gone({ code, signal })));
    });
  }
}

function environmentFor(listeners: readonly Listener[], reportFd: number): NodeJS.ProcessEnv {
  const handed = listeners.map((listener, index) => ({ ...listener, descriptor: FIRST_INHERITED + index }));
  const handover: Handover = { pid: process.pid, listeners: handed };
  const own = { [HANDOVER]: JSON.stringify(handover), [REPORT_FD]: String(reportFd) };
  // systemd's watchdog names this process; the next one is watched as soon as it is the service.
  return { ...process.env, ...own, WATCHDOG_PID: undefined };
}
