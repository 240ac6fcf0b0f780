/**
 * The listening sockets that this arbiter holds. Each is released once, as soon as no worker of this arbiter will accept
 * on it any more. Its file is removed unless another arbiter serves the same socket.
 *
 * If the file of a Unix socket is removed, clients cannot reach the server any more, although every process still has
 * the socket open. A reload binds it again: the new generation accepts on the new socket, the old one keeps the old
 * socket until it has drained. If the reload fails, the new socket is released.
 */
import { type FileLoss, fileLoss, type Listener, releaseSocket, removeSocketFile } from "./bind.ts";

/** Whether other arbiters serve the same sockets, during an upgrade. */
export interface OtherArbiters {
  hasPredecessor(): boolean;
  hasSuccessor(): boolean;
}

/** A Unix socket that clients cannot reach. */
export interface LostSocket {
  readonly url: string;
  readonly loss: FileLoss;
}

/** The sockets after some have been bound again. */
interface Renewal {
  /** In the order of the sockets that they replace. */
  readonly listeners: readonly Listener[];
  /** The first generation that accepts on them; `Infinity` until one begins. */
  since: number;
}

export class Listeners {
  readonly #otherArbiters: OtherArbiters;
  /** The sockets of the serving generation. */
  #listeners: readonly Listener[] = [];
  /** The sockets of the next generation, if they differ. */
  #renewal: Renewal | undefined;
  /** The sockets that the predecessor has too. */
  #inherited: readonly Listener[] = [];
  readonly #released = new Set<Listener>();

  constructor(otherArbiters: OtherArbiters) {
    this.#otherArbiters = otherArbiters;
  }

  /** The sockets for a new generation, or a new arbiter. */
  get listeners(): readonly Listener[] {
    return this.#renewal?.listeners ?? this.#listeners;
  }

  /** Where clients reach the server, for messages: without the workers' own addresses. */
  get urls(): string[] {
    return this.#listeners.filter(({ slot }) => slot === undefined).map(({ url }) => url);
  }

  /** The workers' own sockets of a slot; several if an upgrade has changed their addresses. */
  ofSlot(slot: number): Listener[] {
    return this.listeners.filter((listener) => listener.slot === slot);
  }

  /** Whether another arbiter serves the same sockets. */
  get isShared(): boolean {
    return this.#otherArbiters.hasPredecessor() || this.#otherArbiters.hasSuccessor();
  }

  /** The sockets whose descriptors a worker inherits: the shared ones, then those of its slot. */
  listenersOf({ generation, slot }: { generation: number; slot: number }): readonly Listener[] {
    const renewal = this.#renewal;
    const listeners =
      renewal !== undefined && generation >= renewal.since ? renewal.listeners : this.#listeners;
    return listeners.filter((listener) => listener.slot === undefined || listener.slot === slot);
  }

  /** Checks which sockets clients cannot reach. None while another arbiter has them too: it may have bound them again. */
  lost(): LostSocket[] {
    if (this.isShared) return [];
    return this.#listeners.flatMap((listener, index) => {
      const renewed = this.#renewal?.listeners[index] ?? listener;
      const loss = fileLoss(renewed) ?? (renewed === listener ? undefined : "removed");
      return loss === undefined ? [] : [{ url: listener.url, loss }];
    });
  }

  /** @param inherited the sockets that the predecessor has too */
  hold(listeners: readonly Listener[], inherited: readonly Listener[] = []): void {
    this.#listeners = listeners;
    this.#inherited = inherited;
  }

  /** Holds another socket, for all generations. */
  add(listener: Listener): void {
    this.#listeners = [...this.#listeners, listener];
    if (this.#renewal === undefined) return;
    this.#renewal = { ...this.#renewal, listeners: [...this.#renewal.listeners, listener] };
  }

  /** Releases the sockets on which no worker will accept any more. */
  remove(isObsolete: (listener: Listener) => boolean): void {
    const all = this.#all;
    const isKept = (_: Listener, index: number): boolean => !isObsolete(this.#listeners[index] as Listener);
    const kept = this.#listeners.filter(isKept);
    if (kept.length === this.#listeners.length) return;
    if (this.#renewal !== undefined)
      this.#renewal = { ...this.#renewal, listeners: this.#renewal.listeners.filter(isKept) };
    this.#listeners = kept;
    this.#release(all, this.#all);
  }

  /**
   * Binds the sockets again whose files are gone, for the next generation.
   * @throws what `bind` throws; then nothing has changed
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
    // Meanwhile sockets of slots may have been added or removed.
    const listeners = this.listeners.map((listener) => renewed[before.indexOf(listener)] ?? listener);
    this.#release([...before, ...renewed], [...listeners, ...this.#listeners]);
    this.#renewal = { listeners, since: Number.POSITIVE_INFINITY };
  }

  /** A generation has begun. */
  begun(generation: number): void {
    if (this.#renewal !== undefined) this.#renewal.since = Math.min(this.#renewal.since, generation);
  }

  /** The reload for which sockets were renewed did not begin. */
  withdrawn(): void {
    if (this.#renewal?.since === Number.POSITIVE_INFINITY) this.#undoRenewal();
  }

  /** A generation serves, and no earlier one gets further workers. */
  established(generation: number): void {
    const renewal = this.#renewal;
    if (renewal === undefined || generation < renewal.since) return;
    this.#release(this.#listeners, renewal.listeners);
    this.#listeners = renewal.listeners;
    this.#renewal = undefined;
  }

  /** The newest generation has failed; `generation` continues to serve. */
  abandoned(generation: number): void {
    const { since = Number.POSITIVE_INFINITY } = this.#renewal ?? {};
    if (since !== Number.POSITIVE_INFINITY && generation < since) this.#undoRenewal();
  }

  #undoRenewal(): void {
    this.#release(this.listeners, this.#listeners);
    this.#renewal = undefined;
  }

  /**
   * Releases all sockets, once the workers have been told to stop and no more will start. When the last worker has closed
   * its own descriptor, new clients are refused and can try another server, instead of waiting in vain.
   */
  release(): void {
    this.#release(this.#all, []);
  }

  /** Removes the socket files at the arbiter's end, except those that another arbiter serves. */
  removeFiles(): void {
    for (const listener of this.#all) if (!this.#hasOtherOwner(listener)) removeSocketFile(listener);
  }

  get #all(): readonly Listener[] {
    return [...new Set([...this.#listeners, ...this.listeners])];
  }

  #release(listeners: readonly Listener[], kept: readonly Listener[]): void {
    for (const listener of listeners) {
      if (kept.includes(listener) || this.#released.has(listener)) continue;
      this.#released.add(listener);
      releaseSocket(listener, this.#hasOtherOwner(listener));
    }
  }

  /** Whether another arbiter serves this socket. */
  #hasOtherOwner(listener: Listener): boolean {
    const { hasPredecessor, hasSuccessor } = this.#otherArbiters;
    const isInherited = this.#inherited.some((inherited) => isSameSocket(inherited, listener));
    return hasSuccessor() || (isInherited && hasPredecessor());
  }
}

/** Not whether they are one object: an upgrade may change what is known of a socket, such as the scheme of its URL. */
function isSameSocket(one: Listener, other: Listener): boolean {
  return one.descriptor === other.descriptor && one.file?.ino === other.file?.ino;
}
