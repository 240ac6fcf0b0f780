/**
 * The listening sockets as long as this arbiter holds them. Each is let go once, as soon as nobody here will accept on
 * it any more, and its file goes with it only if no other arbiter serves the same socket.
 *
 * When somebody removes the file of a Unix socket, no client reaches the server by it any more, though every process
 * still has the socket open. A reload binds it again: the new generation accepts on the new socket, the old one keeps
 * the old socket until it has drained, and if the reload fails the new socket goes again.
 */
import { type FileLoss, fileLoss, type Listener, releaseSocket, removeSocketFile } from "./bind.ts";

/** Who else serves the same sockets. */
export interface Neighbours {
  /** The arbiter before this one. */
  hasPredecessor(): boolean;
  /** The arbiter that follows this one. */
  hasSuccessor(): boolean;
}

/** A Unix socket that clients cannot reach. */
export interface LostSocket {
  readonly url: string;
  readonly loss: FileLoss;
}

/** Sockets of which some have been bound again. */
interface Renewal {
  readonly listeners: readonly Listener[];
  /** The first generation that accepts on them; `Infinity` until one begins. */
  since: number;
}

export class Listeners {
  readonly #neighbours: Neighbours;
  /** What the generation that serves accepts on. */
  #listeners: readonly Listener[] = [];
  /** What the next one accepts on, where that is something else. */
  #renewal: Renewal | undefined;
  /** What the arbiter before this one has, too. */
  #inherited: readonly Listener[] = [];
  readonly #released = new Set<Listener>();

  constructor(neighbours: Neighbours) {
    this.#neighbours = neighbours;
  }

  /** What a new arbiter is handed. */
  get listeners(): readonly Listener[] {
    return this.#renewal?.listeners ?? this.#listeners;
  }

  /** For people. */
  get urls(): string[] {
    return this.#listeners.map(({ url }) => url);
  }

  /** Another arbiter serves the same sockets. */
  get isShared(): boolean {
    return this.#neighbours.hasPredecessor() || this.#neighbours.hasSuccessor();
  }

  /** What a worker of the generation inherits. */
  descriptorsOf(generation: number): number[] {
    const renewal = this.#renewal;
    const listeners =
      renewal !== undefined && generation >= renewal.since ? renewal.listeners : this.#listeners;
    return listeners.map(({ descriptor }) => descriptor);
  }

  /** Asks the system. Nothing while another arbiter has the same sockets: it may have bound them again. */
  lost(): LostSocket[] {
    if (this.isShared) return [];
    return this.#listeners.flatMap((listener, index) => {
      const renewed = this.#renewal?.listeners[index] ?? listener;
      const loss = fileLoss(renewed) ?? (renewed === listener ? undefined : "removed");
      return loss === undefined ? [] : [{ url: listener.url, loss }];
    });
  }

  /** @param inherited those that the arbiter before this one has, too */
  hold(listeners: readonly Listener[], inherited: readonly Listener[] = []): void {
    this.#listeners = listeners;
    this.#inherited = inherited;
  }

  /**
   * Binds the sockets again whose files are gone, for the generation that begins next.
   * @throws what `bind` throws; everything is as before then
   */
  async renew(bind: (lost: Listener) => Promise<Listener>): Promise<void> {
    const before = this.listeners;
    if (this.isShared || before.every((listener) => fileLoss(listener) === undefined)) return;
    const renewed: Listener[] = [];
    try {
      for (const listener of before) {
        renewed.push(fileLoss(listener) === undefined ? listener : await bind(listener));
      }
    } catch (error) {
      this.#release(renewed, before);
      throw error;
    }
    this.#release(before, [...renewed, ...this.#listeners]);
    this.#renewal = { listeners: renewed, since: Number.POSITIVE_INFINITY };
  }

  /** A generation begins. */
  begun(generation: number): void {
    if (this.#renewal !== undefined) this.#renewal.since = Math.min(this.#renewal.since, generation);
  }

  /** The reload for which sockets were bound again does not begin. */
  withdrawn(): void {
    if (this.#renewal?.since === Number.POSITIVE_INFINITY) this.#undoRenewal();
  }

  /** A generation serves, and none before it will have another worker. */
  established(generation: number): void {
    const renewal = this.#renewal;
    if (renewal === undefined || generation < renewal.since) return;
    this.#release(this.#listeners, renewal.listeners);
    this.#listeners = renewal.listeners;
    this.#renewal = undefined;
  }

  /** The newest generation has failed: `generation` serves on. */
  abandoned(generation: number): void {
    const { since = Number.POSITIVE_INFINITY } = this.#renewal ?? {};
    if (since !== Number.POSITIVE_INFINITY && generation < since) this.#undoRenewal();
  }

  #undoRenewal(): void {
    this.#release(this.listeners, this.#listeners);
    this.#renewal = undefined;
  }

  /**
   * The workers have been told to stop, and none will follow. Whoever knocks from now on is refused as soon as the last
   * of them has closed its own end, and can try another server, instead of waiting for an answer that never comes.
   */
  release(): void {
    this.#release(this.#all, []);
  }

  /** The arbiter ends: no file of a socket that only it served is left. */
  removeFiles(): void {
    for (const listener of this.#all) if (!this.#isSharedOne(listener)) removeSocketFile(listener);
  }

  get #all(): readonly Listener[] {
    return [...new Set([...this.#listeners, ...this.listeners])];
  }

  #release(listeners: readonly Listener[], kept: readonly Listener[]): void {
    for (const listener of listeners) {
      if (kept.includes(listener) || this.#released.has(listener)) continue;
      this.#released.add(listener);
      releaseSocket(listener, this.#isSharedOne(listener));
    }
  }

  #isSharedOne(listener: Listener): boolean {
    const { hasPredecessor, hasSuccessor } = this.#neighbours;
    return hasSuccessor() || (this.#inherited.includes(listener) && hasPredecessor());
  }
}
