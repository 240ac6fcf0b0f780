/** The old arbiter's handle of the new one: starts its process, hands over to it, or ends it. */
import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import { FIRST_INHERITED_FD } from "../../native/descriptors.ts";
import type { EndpointSockets } from "../control/control-endpoints.ts";
import type { Listener } from "../sockets/bind.ts";
import type { BoardHandover } from "../stats/scoreboard.ts";
import { startChild } from "../workers/child-process.ts";
import { exitName } from "../workers/exit-name.ts";
import { type BootOutcome, REPORT_FD, readBootReport } from "./boot-report.ts";
import { HANDOVER, type Handover, type SuccessorEvent } from "./handover.ts";
import type { Invocation } from "./invocation.ts";

export interface SuccessorLaunch {
  readonly invocation: Invocation;
  readonly listeners: readonly Listener[];
  readonly endpoints: EndpointSockets;
  /** The scoreboard, for both; undefined if there is none. */
  readonly scoreboard: BoardHandover | undefined;
  /** Time until it must serve, in milliseconds. */
  readonly bootTimeout: number;
}

/** A successor that was ended with SIGTERM is killed after this time. */
const END_TIMEOUT_MS = 5000;

export class Successor {
  /** Resolves when its process has ended. */
  readonly exited: Promise<void>;
  /** Undefined if the process could not be started. */
  readonly #child: ChildProcess | undefined;
  readonly #pipe: Duplex | undefined;
  readonly #post: (event: SuccessorEvent) => void;
  #failure: string | undefined;
  #timer: NodeJS.Timeout;
  #ready = false;
  #ended = false;

  constructor(launch: SuccessorLaunch, post: (event: SuccessorEvent) => void) {
    const { invocation, bootTimeout } = launch;
    this.#post = post;
    const { handover, descriptors } = handoverOf(launch);
    const reportFd = FIRST_INHERITED_FD + descriptors.length;
    let onStartError: (error: Error) => void = () => {};
    const startFailure = new Promise<string>((resolve) => {
      onStartError = ({ message }) => resolve(`the new arbiter could not be started: ${message}`);
    });
    this.#child = startChild(
      {
        ...invocation,
        detached: true,
        env: environmentFor(handover, reportFd),
        stdio: ["ignore", "inherit", "inherit", ...descriptors, "pipe"],
      },
      onStartError,
    );
    this.#pipe = this.#child?.stdio[reportFd] as Duplex | undefined;
    this.#timer = setTimeout(() => post({ type: "overdue" }), bootTimeout);
    const end = this.#child === undefined ? startFailure : this.#endOf(this.#child);
    this.exited = end.then((why) => this.#handleEnd(why));
  }

  /** Undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether it has reported that it serves. */
  get isReady(): boolean {
    return this.#ready;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Sends a signal; returns false if the process has ended. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) === true;
  }

  /** Notifies it that this arbiter begins to leave. */
  leave(): void {
    if (this.#pipe?.writable) this.#pipe.write("leaving\n");
  }

  /** Notifies it that it is the server now. */
  release(): void {
    clearTimeout(this.#timer);
    this.#pipe?.destroy();
  }

  /** Stops it, and kills it if it does not end in time. `why` is the reason to report unless it reports its own. */
  end(why: string): void {
    this.#failure ??= why;
    clearTimeout(this.#timer);
    this.#child?.kill("SIGTERM");
    this.#timer = setTimeout(() => this.#child?.kill("SIGKILL"), END_TIMEOUT_MS);
  }

  /** Resolves with how it ended, once its report has been read too. */
  async #endOf(child: ChildProcess): Promise<string> {
    const [how] = await Promise.all([exitOf(child), this.#readReport()]);
    return `the new arbiter ${how}`;
  }

  async #readReport(): Promise<void> {
    const report: BootOutcome | undefined = this.#pipe && (await readBootReport(this.#pipe));
    if (report === undefined) return;
    if ("failed" in report) {
      this.#failure = report.failed;
      return;
    }
    this.#ready = true;
    clearTimeout(this.#timer);
    this.#post({ type: "ready" });
  }

  #handleEnd(why: string): void {
    clearTimeout(this.#timer);
    this.#ended = true;
    this.#post({ type: "gone", why: this.#failure ?? why });
  }
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(exitName(code, signal)));
  });
}

/** Returns this process's descriptors to pass, and the handover data with the numbers that they have in the new arbiter. */
function handoverOf({ listeners, endpoints, scoreboard }: SuccessorLaunch): {
  handover: Handover;
  descriptors: number[];
} {
  const { health } = endpoints;
  const others = [health, scoreboard].filter((one) => one !== undefined);
  const descriptors = [...listeners, ...others].map((one) => one.descriptor);
  const renumbered = listeners.map((listener, index) => ({
    ...listener,
    descriptor: FIRST_INHERITED_FD + index,
  }));
  const handover = {
    pid: process.pid,
    listeners: renumbered,
    endpoints: {
      ...endpoints,
      ...(health && { health: { ...health, descriptor: FIRST_INHERITED_FD + listeners.length } }),
    },
    ...(scoreboard && {
      scoreboard: { ...scoreboard, descriptor: FIRST_INHERITED_FD + descriptors.length - 1 },
    }),
  };
  return { handover, descriptors };
}

function environmentFor(handover: Handover, reportFd: number): NodeJS.ProcessEnv {
  const own = { [HANDOVER]: JSON.stringify(handover), [REPORT_FD]: String(reportFd) };
  // systemd's watchdog names this process. It watches the new one once that is the main process.
  return { ...process.env, ...own, WATCHDOG_PID: undefined };
}
