/**
 * The messages between the arbiter and a worker; the two share nothing else. Messages are JSON. They never cross
 * versions of tsgun, even during a binary upgrade, because a worker is always started by its own arbiter.
 */

import type { BootStep } from "./boot-step.ts";
import type { Answer, Question } from "./question.ts";
import type { AssignedTls } from "./tls-material.ts";

/** The user and group that a process switches to, as numbers. Absent members stay unchanged. */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
  /** The user whose supplementary groups to take. */
  readonly groupsOf?: string | number;
}

/** A page of the scoreboard in a file that is open for reading and writing. */
export interface ScoreboardPage {
  readonly descriptor: number;
  /** In bytes. */
  readonly offset: number;
}

/** A worker's instructions. `Settings` is the configuration; this layer does not know its shape. */
export interface Assignment<Settings> {
  /** Slot in the pool, from 1. */
  readonly slot: number;
  /** Counts deploys, from 1. */
  readonly generation: number;
  /** The inherited descriptors to accept on. */
  readonly descriptors: readonly number[];
  /** Where clients reach the first of them: `http://127.0.0.1:8000`, `unix:/run/app.sock`. */
  readonly address: string;
  /** The arbiter's pid: a worker with another parent is an orphan. */
  readonly arbiter: number;
  /** The inherited descriptor for stall reports: JSON lines. */
  readonly reports: number;
  /** The page of the scoreboard to count on: an inherited descriptor, and where the page begins; undefined for none. */
  readonly scoreboard: ScoreboardPage | undefined;
  /** The inherited descriptor of a file for Node's reports on an exhausted heap; undefined for none. */
  readonly heapReports: number | undefined;
  /** Target of the error log: a file or an inherited descriptor. */
  readonly errorLog: string | number;
  /** Target of the access log: a file or an inherited descriptor; undefined if there is none. */
  readonly accessLog: string | number | undefined;
  /** The user and group to switch to before any code of the app is loaded. */
  readonly identity: Identity;
  /** Why there is no app: the worker responds with this failure until a reload brings one. */
  readonly placeholderFor: BootFailure | undefined;
  /** Whether its watchdog watches the boot as well. Without, it starts when the worker is ready. */
  readonly watchesBoot: boolean;
  /** The material to speak TLS; undefined: it speaks cleartext. */
  readonly tls: AssignedTls | undefined;
  /** Names of the configuration file's hooks that run in a worker. */
  readonly hooks: readonly string[];
  readonly settings: Settings;
}

export type ToWorker<Settings> =
  | { readonly type: "boot"; readonly assignment: Assignment<Settings> }
  /** Stop accepting, finish open requests, run `shutdown`, exit. */
  | { readonly type: "drain" }
  /**
   * The worker lets others accept while it holds more than `share` connections, undefined if there are no others, and
   * closes `shed` kept ones.
   */
  | { readonly type: "balance"; readonly share: number | undefined; readonly shed: number }
  /** New keys for session tickets, in base64. */
  | { readonly type: "ticket-keys"; readonly keys: string }
  /** Reopen the log files. */
  | { readonly type: "reopen" }
  /** The worker is about to be killed: write the access log lines of its open requests now. */
  | { readonly type: "last-lines" }
  /** A question of the control interface; `number` is for the answer. */
  | { readonly type: "ask"; readonly number: number; readonly question: Question }
  /** Cut connections, run `shutdown`, exit. */
  | { readonly type: "quit" };

/** Why a worker could not boot: `load`, its app could not be loaded; `startup`, a later step failed. */
export type BootFailureKind = "load" | "startup";

export interface BootFailure {
  readonly kind: BootFailureKind;
  /** One line. */
  readonly message: string;
  /** The app's own stack, if it says more than the message. */
  readonly stack?: string;
}

/** A worker's heartbeat, sent at least once a second as long as its event loop turns. */
export interface Beat {
  /** Open connections. */
  readonly connections: number;
  /** Responses completed since the worker started. */
  readonly requests: number;
  /** A debugger may be attached, so the loop may stand still at a breakpoint. */
  readonly debugged: boolean;
  /** The worker accepts no connections because only its descriptor reserve is left. */
  readonly isShort?: boolean;
  /** Why the app says that this worker is not ready; one line. */
  readonly notReady?: string | undefined;
}

/** Why a worker is due for replacement: `amount` is responses, milliseconds, open descriptors, or bytes of the heap. */
export interface Due {
  readonly why: "requests" | "lifetime" | "descriptors" | "heap";
  readonly amount: number;
}

/** A file that a worker has loaded, or looked for and not found. */
export interface LoadedFile {
  /** Absolute, with symbolic links resolved. */
  readonly path: string;
  /** From `fileStamp`, taken just before. */
  readonly stamp: string;
}

export type FromWorker =
  /** The worker listens for messages; earlier ones were lost. */
  | { readonly type: "booting" }
  /** The next step on the way to `ready`. */
  | ({ readonly type: "boot-step" } & BootStep)
  /** With `--reload`: files loaded since the last such message. A worker that fails to boot sends it before `failed`. */
  | { readonly type: "loaded"; readonly files: readonly LoadedFile[] }
  /** The worker accepts connections; `serving` names what serves the app, for the log. */
  | { readonly type: "ready"; readonly serving: string }
  | ({ readonly type: "failed" } & BootFailure)
  | ({ readonly type: "beat" } & Beat)
  | { readonly type: "answer"; readonly number: number; readonly answer: Answer }
  /** The worker should be replaced; it keeps serving until told to stop. */
  | ({ readonly type: "due" } & Due)
  /** The worker is stopping because of a signal (its name), or because the app closed its server, not on the arbiter's order. */
  | { readonly type: "draining"; readonly cause: string };

/** The instructions of a preflight process, which only checks that the app can be loaded. */
export interface PreflightAssignment<Settings> {
  /** The pid that waits for the outcome; the preflight must not outlive it. */
  readonly starter: number;
  readonly identity: Identity;
  readonly settings: Settings;
}

export type FromPreflight =
  | ({ readonly type: "boot-step" } & BootStep)
  /** `what` names what serves the app. */
  | { readonly type: "loaded"; readonly what: string }
  | ({ readonly type: "failed"; readonly exitCode: number } & BootFailure);
