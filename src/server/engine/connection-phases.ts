/** The phases of a connection, and when each times out. A base of the connection, since every connection has one. */

import type { Phase } from "./connection-standing.ts";
import type { ConnectionHost } from "./contract.ts";

export abstract class ConnectionPhases<Connection> {
  protected readonly host: ConnectionHost<Connection>;
  protected phase: Phase = "idle";
  /** When the phase began to wait for the client, in the server's time. */
  protected since: number;
  /** When the current phase times out, in the server's time. */
  protected deadline: number;

  constructor(host: ConnectionHost<Connection>) {
    this.host = host;
    const { keepAlive, header } = host.options.timeouts;
    this.since = host.now;
    this.deadline = host.now + (keepAlive || header);
  }

  protected enter(phase: Phase, timeoutMs: number): void {
    this.phase = phase;
    this.since = this.host.now;
    this.deadline = this.since + timeoutMs;
  }

  protected enterIdle(): void {
    const { draining, lingerMs, options } = this.host;
    this.enter("idle", draining ? lingerMs : options.timeouts.keepAlive);
  }

  /** The server drains: an idle connection may send one more request until `deadline`, in the server's time. */
  drain(deadline: number): void {
    if (this.phase === "idle") this.deadline = Math.min(this.deadline, deadline);
  }
}
