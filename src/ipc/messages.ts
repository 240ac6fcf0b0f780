/**
 * What the arbiter and a worker say to each other: all that they share. Messages are JSON; a message
 * that crosses a newer or older tsgun during a binary upgrade never happens, since a worker is always
 * started by its own arbiter.
 */

import type { BootStep } from "./boot-step.ts";

/** Who a process is to be, in numbers. What is absent stays as it is. */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
  /** Whose supplementary groups to take. */
  readonly groupsOf?: string | number;
}

/** What a worker is told to be. `Settings` is the configuration; this layer does not know its shape. */
export interface Assignment<Settings> {
  /** Place in the pool, from 1. */
  readonly slot: number;
  /** Counts deploys, from 1. */
  readonly generation: number;
  /** The inherited descriptors to accept on. */
  readonly descriptors: readonly number[];
  /** The arbiter's process: a worker that has another parent is an orphan. */
  readonly arbiter: number;
  /** The inherited descriptor for stall reports, one line of JSON each. */
  readonly reports: number;
  /** Where the error log goes, a file or an inherited descriptor. */
  readonly errorLog: string | number;
  /** Where the access log goes, a file or an inherited descriptor; undefined where there is none. */
  readonly accessLog: string | number | undefined;
  /** Whom it becomes before anything of the app is loaded. */
  readonly identity: Identity;
  /** Why there is no app to serve: the worker answers with that instead, until a reload brings one. */
  readonly standsInFor: BootFailure | undefined;
  /** The hooks of the configuration file that run in a worker, by name. */
  readonly hooks: readonly string[];
  readonly settings: Settings;
}

export type ToWorker<Settings> =
  | { readonly type: "boot"; readonly assignment: Assignment<Settings> }
  /** Stop accepting, finish what is there, run `shutdown`, exit. */
  | { readonly type: "drain" }
  /** Let this many kept connections go: the worker has more than its share. */
  | { readonly type: "shed"; readonly connections: number }
  /** How many connections a worker has on average; undefined when there are no others to compare with. */
  | { readonly type: "average"; readonly connections: number | undefined }
  /** Open the log files anew. */
  | { readonly type: "reopen" }
  /** It is about to be killed: what it still has to answer gets its line in the access log now. */
  | { readonly type: "last-lines" }
  /** Tell of each request as it comes, for so many milliseconds from now: workers die without a word. */
  | { readonly type: "journal-requests"; readonly milliseconds: number }
  /** Cut connections, run `shutdown`, exit. */
  | { readonly type: "quit" };

/** Why a worker could not boot: its app could not be loaded, or anything after that. */
export type BootFailureKind = "load" | "startup";

export interface BootFailure {
  readonly kind: BootFailureKind;
  /** One line. */
  readonly message: string;
  /** The app's own stack, where there is one that tells more than the message. */
  readonly stack?: string;
}

/** How a worker is, sent at least once a second as long as its event loop turns. */
export interface Beat {
  /** Open connections. */
  readonly connections: number;
  /** Answers completed since the worker was started. */
  readonly requests: number;
  /** A debugger may be open on it, and its loop stand still at a breakpoint. */
  readonly debugged: boolean;
  /** It accepts no connections, since only a reserve of file descriptors is left. */
  readonly isShort?: boolean;
}

/** Why a worker is due to be replaced: after so many answers or milliseconds, or with so many descriptors open. */
export interface Due {
  readonly why: "requests" | "lifetime" | "descriptors";
  readonly amount: number;
}

/** A file that a worker has loaded, or looked for in vain. */
export interface LoadedFile {
  /** Absolute, links in it resolved. */
  readonly path: string;
  /** As `fileStamp` gave it just before. */
  readonly stamp: string;
}

export type FromWorker =
  /** The worker's program listens for messages; what was sent to it before is lost. */
  | { readonly type: "booting" }
  /** What it does next on its way to `ready`. */
  | ({ readonly type: "boot-step" } & BootStep)
  /** With `--reload`: what has been loaded since the last such message; of a worker that fails to boot, before it says so. */
  | { readonly type: "loaded"; readonly files: readonly LoadedFile[] }
  /** Connections are accepted; `serving` names what serves the app, for the log. */
  | { readonly type: "ready"; readonly serving: string }
  | ({ readonly type: "failed" } & BootFailure)
  | ({ readonly type: "beat" } & Beat)
  /** The worker has done its part; it serves on until it is told to stop. */
  | ({ readonly type: "due" } & Due)
  /** The worker stops without having been told by the arbiter: it was sent a signal. */
  | { readonly type: "draining" };

/** What a process is told that only tries whether the app can be loaded. */
export interface Trial<Settings> {
  /** The process that waits for its outcome: there is no reason to outlive that. */
  readonly starter: number;
  readonly identity: Identity;
  readonly settings: Settings;
}

export type FromTrial =
  | ({ readonly type: "boot-step" } & BootStep)
  /** `what` names what serves the app. */
  | { readonly type: "loaded"; readonly what: string }
  | ({ readonly type: "failed"; readonly exitCode: number } & BootFailure);
