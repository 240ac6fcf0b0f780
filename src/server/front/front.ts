/**
 * The front of a worker's connections: what each goes through before its first byte of HTTP. Its stages are the PROXY
 * header, TLS and the choice of the protocol, in this order. A worker that needs none of them has no front, and its
 * connections pay nothing for it.
 *
 * A connection in the front counts like any other, may take as long as a request head, and is destroyed if a stage
 * refuses it.
 */
import type { Socket } from "node:net";
import type { AcceptLimiter } from "../accept-limiter.ts";
import type { Channel } from "../channel/channel.ts";
import { descriptorOf } from "../descriptor-budget.ts";
import { MemberList } from "../member-list.ts";
import { ChannelEntrant, type ChannelOwner } from "./channel-entrant.ts";
import type { Entrant, EntrantHost, PassOn } from "./entrant.ts";
import type { ConnectionFacts } from "./facts.ts";
import { type OpeningStage, socketStage } from "./opening.ts";
import { ClientLeft, FrontTimeout } from "./refusal.ts";
import { SocketEntrant } from "./socket-entrant.ts";
import type { Stage } from "./stage.ts";

export interface FrontOptions {
  readonly stages: readonly (Stage | OpeningStage)[];
  /** For all stages together, in milliseconds; `Infinity` for no limit. */
  readonly timeout: number;
  /** For the first byte of HTTP where the choice of the protocol waits for it. Default: `timeout`. */
  readonly idleTimeout?: number;
  /** Reports a connection that a stage has refused, or that took too long. Not called for clients that just left. */
  readonly onRefused: (error: Error, facts: ConnectionFacts) => void;
  /** Called for a connection that was closed to make room for others. */
  readonly onEvicted?: () => void;
}

/** The longest time that a timer waits. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Between two searches for the late: each looks at all connections. */
const MIN_SEARCH_MS = 100;

export class Front implements EntrantHost {
  readonly #options: FrontOptions;
  readonly #limiter: AcceptLimiter;
  /** For sockets. */
  readonly #stages: readonly Stage[];
  /** For channels; undefined if there is a stage that needs a socket. */
  readonly #openings: readonly OpeningStage[] | undefined;
  readonly #entrants = new MemberList<Entrant>();
  /** True while the timer runs that looks for the late. */
  #isTiming = false;
  /** How long connections may still be in the front; undefined until the server drains. */
  #lingerMs: number | undefined;
  #onEmpty: (() => void)[] = [];

  constructor(options: FrontOptions, limiter: AcceptLimiter) {
    this.#options = options;
    this.#limiter = limiter;
    const { stages } = options;
    this.#stages = stages.map((stage) => (isOpening(stage) ? socketStage(stage) : stage));
    const openings = stages.filter(isOpening);
    this.#openings = openings.length === stages.length ? openings : undefined;
    limiter.addOccupants({
      connections: this.#entrants,
      now: () => performance.now(),
      standing: ({ since, isIdle }, now) => ({ wait: isIdle ? "first byte" : "front", late: now - since }),
      giveWay: (entrant) => this.#giveWay(entrant),
    });
  }

  #giveWay(entrant: Entrant): void {
    this.#options.onEvicted?.();
    entrant.destroy();
  }

  /** Connections that have not been passed on yet. */
  get size(): number {
    return this.#entrants.size;
  }

  /** Whether connections can go through it as channels. */
  get takesChannels(): boolean {
    return this.#openings !== undefined;
  }

  /** Takes an accepted connection through the stages. @param isUnix whether it came by a Unix socket */
  admit(socket: Socket, isUnix: boolean, passOn: PassOn): void {
    const entrant = new SocketEntrant(socket, isUnix, this);
    this.#enter(entrant, descriptorOf(socket));
    entrant.run(this.#stages, passOn);
  }

  /** Takes an accepted connection, which has not been started, through the stages. Only if it takes channels. */
  admitChannel(channel: Channel, isUnix: boolean, owner: ChannelOwner): void {
    const entrant = new ChannelEntrant(channel, isUnix, this, this.#openings ?? []);
    this.#enter(entrant, channel.descriptor);
    entrant.run(owner);
  }

  #enter(entrant: Entrant, descriptor: number): void {
    this.#entrants.add(entrant);
    this.#limiter.connectionOpened(descriptor);
    const { timeout } = this.#options;
    if (!this.#isTiming) this.#lookLater(Math.min(timeout, this.#idleTimeout));
    if (this.#lingerMs !== undefined) this.#closeLater([entrant], this.#lingerMs);
  }

  // ---- called by entrants

  onRefused(error: Error, facts: ConnectionFacts): void {
    if (!(error instanceof ClientLeft)) this.#options.onRefused(error, facts);
  }

  onPassed(entrant: Entrant, passOn: () => void): void {
    this.#entrants.delete(entrant);
    this.#limiter.handOver(passOn);
    this.#checkEmpty();
  }

  onClosed(entrant: Entrant): void {
    if (entrant.place === -1) return;
    this.#entrants.delete(entrant);
    this.#limiter.connectionClosed();
    this.#checkEmpty();
  }

  // ---- time

  /** One timer for all: most connections have left long before, and one each would be most of what they cost. */
  #lookLater(milliseconds: number): void {
    if (milliseconds === Number.POSITIVE_INFINITY) return;
    this.#isTiming = true;
    // Input that has arrived while the loop was blocked is handled before the verdict.
    const waits = Math.min(Math.ceil(milliseconds), MAX_TIMER_MS);
    setTimeout(() => setImmediate(() => this.#refuseLate()), waits).unref();
  }

  #refuseLate(): void {
    this.#isTiming = false;
    const { timeout } = this.#options;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const entrant of this.#entrants) {
      const { isIdle, since } = entrant;
      const left = since + (isIdle ? this.#idleTimeout : timeout) - now;
      // One that is idle may begin at any time.
      if (left > 0) next = Math.min(next, left, isIdle ? timeout / 4 : left);
      else if (isIdle) entrant.destroy();
      else entrant.refuse(new FrontTimeout(timeout, entrant.hasSent));
    }
    this.#lookLater(Math.max(next, Math.min(MIN_SEARCH_MS, timeout)));
  }

  get #idleTimeout(): number {
    return this.#options.idleTimeout ?? this.#options.timeout;
  }

  #checkEmpty(): void {
    if (this.size > 0) return;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /**
   * Closes the connections on which nothing has arrived within `lingerMs`, or nothing of HTTP, as idle ones are closed. The
   * others are in the middle of a stage, and may have a request for us. Resolves when none is left. Call when no more are accepted.
   */
  drain(lingerMs: number): Promise<void> {
    this.#lingerMs = lingerMs;
    if (this.size === 0) return Promise.resolve();
    this.#closeLater([...this.#entrants], lingerMs);
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  #closeLater(entrants: readonly Entrant[], lingerMs: number): void {
    const close = (): void => {
      for (const entrant of entrants)
        if (entrant.place !== -1 && (entrant.isIdle || !entrant.hasSent)) entrant.destroy();
    };
    // Waits for the input of that turn as well: the client may be done just in time.
    setTimeout(() => setImmediate(close), lingerMs).unref();
  }

  destroy(): void {
    for (const entrant of this.#entrants) entrant.destroy();
  }
}

function isOpening(stage: Stage | OpeningStage): stage is OpeningStage {
  return typeof stage !== "function";
}
