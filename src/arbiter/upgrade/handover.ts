/**
 * The handover from an arbiter to its successor (USR2): its sockets as descriptors from 3 on, their description in an
 * environment variable, and a pipe, that of the boot report. On it the new arbiter reports that it serves, or why not.
 * The old one holds it open as long as it is the server: a line from it means that it begins to leave, the end of the
 * pipe that the new one is the server. Different versions communicate here: fields may be added, but not changed.
 */
import { Socket } from "node:net";
import { processState } from "../../system/process-state.ts";
import type { EndpointSockets } from "../control/control-endpoints.ts";
import type { Listener } from "../sockets/bind.ts";
import type { BoardHandover } from "../stats/scoreboard.ts";
import type { BootReport } from "./boot-report.ts";

export const HANDOVER = "TSGUN_HANDOVER";

export interface Handover {
  /** The pid of the old arbiter. */
  readonly pid: number;
  readonly listeners: readonly Listener[];
  readonly endpoints?: EndpointSockets;
  readonly scoreboard?: BoardHandover;
}

/** How often the new arbiter checks whether the old one is alive. */
const ALIVE_CHECK_MS = 100;

/** The steps in which the old arbiter leaves, in this order; steps may be skipped. */
export type PredecessorStep =
  /** It begins to leave: take over its control socket and health endpoint. */
  | "leaving"
  /** This process is the service now. */
  | "released"
  /** Its process is gone. */
  | "gone";

/** Events of the new arbiter, for the old one. */
export type SuccessorEvent =
  /** All its workers serve. */
  | { readonly type: "ready" }
  /** Its process has ended; `why` is its own reason if it reported one. */
  | { readonly type: "gone"; readonly why: string }
  /** It is not ready in time. */
  | { readonly type: "overdue" };

/** The new arbiter's view of the old one. */
export class Predecessor {
  readonly pid: number;
  readonly listeners: readonly Listener[];
  readonly endpoints: EndpointSockets | undefined;
  readonly scoreboard: BoardHandover | undefined;

  private constructor(handover: Handover) {
    this.pid = handover.pid;
    this.listeners = handover.listeners;
    this.endpoints = handover.endpoints;
    this.scoreboard = handover.scoreboard;
  }

  /** Returns undefined if this process was not started by an upgrade. Removes the variable from the environment. */
  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): Predecessor | undefined {
    const text = env[HANDOVER];
    delete env[HANDOVER];
    return text === undefined ? undefined : new Predecessor(JSON.parse(text) as Handover);
  }

  /** As the parent of this process it keeps its pid until it has ended. */
  get isAlive(): boolean {
    return process.ppid === this.pid;
  }

  /** Whether it still serves the same sockets. A process that is ending stays the parent until its last thread has ended. */
  get isServing(): boolean {
    return this.isAlive && processState(this.pid) !== "zombie";
  }

  /** Sends it a signal, if it still serves. */
  signal(signal: NodeJS.Signals): void {
    if (!this.isServing) return;
    try {
      process.kill(this.pid, signal);
    } catch {
      // It has just ended.
    }
  }

  /** Calls `post` with each step once, in order; a later step implies the earlier ones. */
  watch(report: BootReport | undefined, post: (step: PredecessorStep) => void): void {
    const remaining: PredecessorStep[] = ["leaving", "released", "gone"];
    const postUpTo = (step: PredecessorStep): void => {
      while (remaining.includes(step)) post(remaining.shift() as PredecessorStep);
    };
    const aliveCheck = setInterval(() => {
      if (this.isAlive) return;
      clearInterval(aliveCheck);
      postUpTo("gone");
    }, ALIVE_CHECK_MS);
    aliveCheck.unref();
    const fd = report?.descriptor;
    if (report === undefined || fd === undefined) return;
    const pipe = new Socket({ fd, readable: true, writable: false });
    pipe.on("data", () => postUpTo("leaving"));
    const ended = (): void => {
      report.detach();
      postUpTo("released");
    };
    // "end" precedes the closing of the descriptor; "close" comes in any case.
    pipe.on("end", ended).on("error", ended).on("close", ended);
    pipe.unref();
  }
}
