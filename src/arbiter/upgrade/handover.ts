/**
 * What an arbiter hands to the one that follows it (USR2): its sockets as descriptors from 3 on, what they
 * are called in one variable of the environment, and a pipe. The pipe is the boot report's: the new arbiter
 * says on it that it serves, or why not, and the old one holds it open as long as it is the server: a line
 * on it says that the old one begins to go, its end that the new one is the server. Newer and older versions
 * talk here: a field may be added, none may change.
 */
import { Socket } from "node:net";
import { processState } from "../../system/process-state.ts";
import type { EndpointSockets } from "../control/control-endpoints.ts";
import type { Listener } from "../sockets/bind.ts";
import type { BootReport } from "./boot-report.ts";

export const HANDOVER = "TSGUN_HANDOVER";

export interface Handover {
  /** The process id of the arbiter that hands over. */
  readonly pid: number;
  readonly listeners: readonly Listener[];
  readonly endpoints?: EndpointSockets;
}

/** How often the new arbiter looks whether the old one still lives, in milliseconds. */
const LOOK_EVERY = 100;

/** What the new arbiter learns of the old one, in this order; steps may be left out. */
export type PredecessorStep =
  /** It begins to go: its control socket and its health endpoint are this one's to take. */
  | "leaving"
  /** The service is this process now. */
  | "released"
  /** Its process is gone. */
  | "gone";

/** What the old arbiter learns of the new one. */
export type SuccessorEvent =
  /** All its workers serve. */
  | { readonly type: "ready" }
  /** Its process has ended; `why` for people, in its own words where it had some. */
  | { readonly type: "gone"; readonly why: string }
  /** It has used up the time to boot. */
  | { readonly type: "overdue" };

/** The old arbiter, as the new one sees it. */
export class Predecessor {
  readonly pid: number;
  readonly listeners: readonly Listener[];
  readonly endpoints: EndpointSockets | undefined;

  private constructor(handover: Handover) {
    this.pid = handover.pid;
    this.listeners = handover.listeners;
    this.endpoints = handover.endpoints;
  }

  /** The arbiter that this process follows, if it follows one. Takes the variable out of the environment. */
  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): Predecessor | undefined {
    const text = env[HANDOVER];
    delete env[HANDOVER];
    return text === undefined ? undefined : new Predecessor(JSON.parse(text) as Handover);
  }

  /** Asked of the kernel: nobody can have taken the number while it is the parent's. */
  get isAlive(): boolean {
    return process.ppid === this.pid;
  }

  /** It still serves the same sockets. One that is ending is the parent until its last thread has ended. */
  get isServing(): boolean {
    return this.isAlive && processState(this.pid) !== "zombie";
  }

  /** Sends it a signal, if it still serves. */
  signal(signal: NodeJS.Signals): void {
    if (!this.isServing) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It has ended this moment.
    }
  }

  /** Has each step told to `post`, in order and once. */
  watch(report: BootReport | undefined, post: (step: PredecessorStep) => void): void {
    const untold: PredecessorStep[] = ["leaving", "released", "gone"];
    const tell = (upTo: PredecessorStep): void => {
      while (untold.includes(upTo)) post(untold.shift() as PredecessorStep);
    };
    const looking = setInterval(() => {
      if (this.isAlive) return;
      clearInterval(looking);
      tell("gone");
    }, LOOK_EVERY);
    looking.unref();
    const fd = report?.descriptor;
    if (report === undefined || fd === undefined) return;
    const pipe = new Socket({ fd, readable: true, writable: false });
    pipe.on("data", () => tell("leaving"));
    const ended = (): void => {
      report.detach();
      tell("released");
    };
    // The end comes before the descriptor is closed, the close in any case.
    pipe.on("end", ended).on("error", ended).on("close", ended);
    pipe.unref();
  }
}
