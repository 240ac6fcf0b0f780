/** The old arbiter's view of the one that is to follow it: starts its process, lets go, or ends it. */
import type { ChildProcess } from "node:child_process";
import type { Duplex } from "node:stream";
import { FIRST_INHERITED_FD } from "../../native/descriptors.ts";
import type { EndpointSockets } from "../control/control-endpoints.ts";
import type { Listener } from "../sockets/bind.ts";
import { startChild } from "../workers/child-process.ts";
import { exitName } from "../workers/exit-name.ts";
import { type BootOutcome, REPORT_FD, readBootReport } from "./boot-report.ts";
import { HANDOVER, type Handover, type SuccessorEvent } from "./handover.ts";
import type { Invocation } from "./invocation.ts";

export interface SuccessorLaunch {
  readonly invocation: Invocation;
  readonly listeners: readonly Listener[];
  readonly endpoints: EndpointSockets;
  /** How long it may take until it serves, in milliseconds. */
  readonly bootTime: number;
}

/** How long a successor that is told to go may take, in milliseconds, before it is killed. */
const END_TIME = 5000;

export class Successor {
  /** Resolves when its process has ended. */
  readonly exited: Promise<void>;
  /** Undefined when the process could not be started. */
  readonly #child: ChildProcess | undefined;
  readonly #pipe: Duplex | undefined;
  readonly #post: (event: SuccessorEvent) => void;
  #failure: string | undefined;
  #timer: NodeJS.Timeout;
  #ready = false;
  #ended = false;

  constructor(launch: SuccessorLaunch, post: (event: SuccessorEvent) => void) {
    const { invocation, bootTime } = launch;
    this.#post = post;
    const { handover, descriptors } = handedOver(launch);
    const reportFd = FIRST_INHERITED_FD + descriptors.length;
    let notStarted: (error: Error) => void = () => {};
    const unstarted = new Promise<string>((resolve) => {
      notStarted = ({ message }) => resolve(`the new arbiter could not be started: ${message}`);
    });
    this.#child = startChild(
      {
        ...invocation,
        detached: true,
        env: environmentFor(handover, reportFd),
        stdio: ["ignore", "inherit", "inherit", ...descriptors, "pipe"],
      },
      notStarted,
    );
    this.#pipe = this.#child?.stdio[reportFd] as Duplex | undefined;
    this.#timer = setTimeout(() => post({ type: "overdue" }), bootTime);
    this.exited = (this.#child === undefined ? unstarted : this.#ending(this.#child)).then((why) =>
      this.#gone(why),
    );
  }

  /** Undefined when the process could not be started. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** It has said that it serves. */
  get isReady(): boolean {
    return this.#ready;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Sends its process a signal; false when there is none any more. */
  signal(signal: NodeJS.Signals): boolean {
    return this.#child?.kill(signal) === true;
  }

  /** Tells it that this arbiter begins to go. */
  leave(): void {
    if (this.#pipe?.writable) this.#pipe.write("leaving\n");
  }

  /** Makes it the server. */
  release(): void {
    clearTimeout(this.#timer);
    this.#pipe?.destroy();
  }

  /** Ends it: first as a stop, then by force. `why` is what is said of its end, if it says nothing itself. */
  end(why: string): void {
    this.#failure ??= why;
    clearTimeout(this.#timer);
    this.#child?.kill("SIGTERM");
    this.#timer = setTimeout(() => this.#child?.kill("SIGKILL"), END_TIME);
  }

  /** How it ends, in its own words where it has some. */
  async #ending(child: ChildProcess): Promise<string> {
    const [how] = await Promise.all([endOf(child), this.#watchReport()]);
    return `the new arbiter ${how}`;
  }

  async #watchReport(): Promise<void> {
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

  #gone(why: string): void {
    clearTimeout(this.#timer);
    this.#ended = true;
    this.#post({ type: "gone", why: this.#failure ?? why });
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(exitName(code, signal)));
  });
}

/** What the new arbiter is handed, with the numbers that the descriptors have there. */
function handedOver({ listeners, endpoints }: SuccessorLaunch): {
  handover: Handover;
  descriptors: number[];
} {
  const { health } = endpoints;
  const descriptors = [...listeners, ...(health === undefined ? [] : [health])].map((one) => one.descriptor);
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
  };
  return { handover, descriptors };
}

function environmentFor(handover: Handover, reportFd: number): NodeJS.ProcessEnv {
  const own = { [HANDOVER]: JSON.stringify(handover), [REPORT_FD]: String(reportFd) };
  // systemd's watchdog names this process; the next one is watched as soon as it is the service.
  return { ...process.env, ...own, WATCHDOG_PID: undefined };
}
