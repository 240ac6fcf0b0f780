/** The contract between a front and the connections in it, which are sockets or channels. */
import type { Socket } from "node:net";
import type { Member } from "../member-list.ts";
import type { ConnectionFacts } from "./facts.ts";

/** Serves a connection from its first byte of HTTP on. */
export type PassOn = (socket: Socket, facts: ConnectionFacts) => void;

/** A connection in the front. */
export interface Entrant extends Member {
  /** When it came, or began to wait for HTTP, as in `performance.now()`. */
  readonly since: number;
  /** Whether anything has arrived on it. */
  readonly hasSent: boolean;
  /** Whether nothing of HTTP has arrived on it, and all that comes before has. */
  readonly isIdle: boolean;
  /** Closes it because of `error`, once. */
  refuse(error: Error): void;
  destroy(): void;
}

/** The front, to an entrant. */
export interface EntrantHost {
  onRefused(error: Error, facts: ConnectionFacts): void;
  /** It goes on: `passOn` opens its connection with the server. */
  onPassed(entrant: Entrant, passOn: () => void): void;
  onClosed(entrant: Entrant): void;
}
