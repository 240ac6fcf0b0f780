/**
 * The addresses of a handle's connection. Each look-up costs a system call, so the latest is kept: who asks for an address
 * asks for its port next, and remembers both.
 */
import type { StreamHandle } from "./handle-access.ts";

/** Without its members for a Unix socket. */
export interface HandleAddress {
  readonly address?: string;
  readonly port?: number;
}

class LatestAddress {
  readonly #ask: "getpeername" | "getsockname";
  #handle: StreamHandle | undefined;
  #address: HandleAddress = {};

  constructor(ask: "getpeername" | "getsockname") {
    this.#ask = ask;
  }

  of(handle: StreamHandle): HandleAddress {
    if (this.#handle !== handle) {
      this.#handle = handle;
      this.#address = {};
      handle[this.#ask]?.(this.#address);
    }
    return this.#address;
  }
}

/** The client's end, and ours. */
export const REMOTE = new LatestAddress("getpeername");
export const LOCAL = new LatestAddress("getsockname");
