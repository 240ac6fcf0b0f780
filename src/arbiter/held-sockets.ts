/**
 * The listening sockets as long as this arbiter holds them. Each is let go once, as soon as nobody here will accept on
 * it any more, and its file goes with it only if no other arbiter serves the same socket.
 */
import { type Listener, releaseSocket, removeSocketFile } from "./bind.ts";

export class HeldSockets {
  readonly #isShared: () => boolean;
  #listeners: readonly Listener[] = [];
  readonly #released = new Set<Listener>();

  /** @param isShared whether another arbiter serves the same sockets, before or after this one */
  constructor(isShared: () => boolean) {
    this.#isShared = isShared;
  }

  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  /** For people. */
  get urls(): string[] {
    return this.#listeners.map(({ url }) => url);
  }

  /** What workers inherit. */
  get descriptors(): number[] {
    return this.#listeners.map(({ descriptor }) => descriptor);
  }

  /** Another arbiter serves the same sockets. */
  get isShared(): boolean {
    return this.#isShared();
  }

  hold(listeners: readonly Listener[]): void {
    this.#listeners = listeners;
  }

  /**
   * The workers have been told to stop, and none will follow. Whoever knocks from now on is refused as soon as the last
   * of them has closed its own end, and can try another server, instead of waiting for an answer that never comes.
   */
  release(): void {
    const shared = this.#isShared();
    for (const listener of this.#listeners) {
      if (this.#released.has(listener)) continue;
      this.#released.add(listener);
      releaseSocket(listener, shared);
    }
  }

  /** The arbiter ends: no file of a socket that only it served is left. */
  removeFiles(): void {
    if (this.#isShared()) return;
    for (const listener of this.#listeners) removeSocketFile(listener);
  }
}
