/**
 * A connection that goes through a front as a channel, without a socket and without a promise: they would cost more than
 * a small request. Its first request mostly comes with what the stages read, and is handled in the same turn.
 */
import type { Socket } from "node:net";
import type { Channel, ChannelEvents } from "../channel/channel.ts";
import type { Entrant, EntrantHost } from "./entrant.ts";
import { type ConnectionFacts, rememberFacts } from "./facts.ts";
import type { Opening, OpeningStage } from "./opening.ts";
import { Refusal } from "./refusal.ts";

/** Serves connections from their first byte of HTTP on. */
export interface ChannelOwner {
  /** Returns what handles the events of a connection of HTTP/1.1. */
  serve(channel: Channel, facts: ConnectionFacts): ChannelEvents;
  /** Serves one of another protocol. */
  admit(socket: Socket, facts: ConnectionFacts): void;
}

const NOTHING = Buffer.alloc(0);

export class ChannelEntrant implements Entrant, ChannelEvents {
  place = -1;
  readonly #cameAt = performance.now();
  hasSent = false;
  readonly #channel: Channel;
  readonly #facts: ConnectionFacts;
  readonly #host: EntrantHost;
  readonly #stages: readonly OpeningStage[];
  #owner: ChannelOwner | undefined;
  /** The index of the next stage. */
  #next = 0;
  #opening: Opening | undefined;
  /** Bytes of an opening that is not complete. */
  #held: Buffer | undefined;
  #isRefused = false;

  constructor(channel: Channel, isUnix: boolean, host: EntrantHost, stages: readonly OpeningStage[]) {
    this.#channel = channel;
    this.#facts = { isUnix };
    this.#host = host;
    this.#stages = stages;
  }

  get since(): number {
    return this.#facts.waitsSince ?? this.#cameAt;
  }

  get isIdle(): boolean {
    return this.#facts.isIdle === true;
  }

  run(owner: ChannelOwner): void {
    this.#owner = owner;
    this.#channel.start(this);
    try {
      if (!this.#open()) this.#passOn(NOTHING);
    } catch (error) {
      this.refuse(error as Error);
    }
  }

  /** Opens the next stage that reads something; returns false if there is none. */
  #open(): boolean {
    const stages = this.#stages;
    this.#opening = undefined;
    while (this.#opening === undefined && this.#next < stages.length) {
      this.#opening = (stages[this.#next] as OpeningStage).open(this.#channel, this.#facts);
      this.#next += 1;
    }
    return this.#opening !== undefined;
  }

  onBytes(bytes: Buffer): boolean {
    this.hasSent = true;
    if (this.#isRefused) return true;
    const rest = this.#read(this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes]));
    return rest === undefined || this.#passOn(rest);
  }

  /** Returns what is behind the last stage; undefined if that has not been reached. */
  #read(bytes: Buffer): Buffer | undefined {
    let rest = bytes;
    try {
      do {
        const used = (this.#opening as Opening).read(rest);
        if (used === undefined) {
          // A copy: the bytes are valid only during the call.
          this.#held = Buffer.from(rest);
          return undefined;
        }
        if (used > 0) rest = rest.subarray(used);
      } while (this.#open() && rest.length > 0);
    } catch (error) {
      this.refuse(error as Error);
      return undefined;
    }
    this.#held = undefined;
    return this.#opening === undefined ? rest : undefined;
  }

  /** Returns false to pause. */
  #passOn(rest: Buffer): boolean {
    const owner = this.#owner as ChannelOwner;
    const channel = this.#channel;
    const facts = this.#facts;
    let events: ChannelEvents | undefined;
    this.#host.onPassed(this, () => {
      if (facts.protocol === "h2") {
        const socket = channel.toStream(rest);
        rememberFacts(socket, facts);
        owner.admit(socket, facts);
        return;
      }
      events = owner.serve(channel, facts);
      channel.passTo(events);
    });
    return events === undefined || rest.length === 0 || events.onBytes(rest);
  }

  onEnd(): void {
    if (this.#opening === undefined || this.#isRefused) return;
    this.refuse(this.#opening.ended(this.#held !== undefined));
  }

  onDrained(): void {}

  onStalled(): void {}

  onClosed(): void {
    this.#host.onClosed(this);
  }

  refuse(error: Error): void {
    if (this.#isRefused) return;
    this.#isRefused = true;
    const channel = this.#channel;
    if (error instanceof Refusal && error.answer !== undefined) channel.writeText(error.answer);
    channel.close();
    this.#host.onRefused(error, this.#facts);
  }

  destroy(): void {
    this.#channel.destroy();
  }
}
