/** The addresses of a handle's connection, looked up when first asked for: each costs a system call. */
import type { StreamHandle } from "./handle-access.ts";

/** Without its members for a Unix socket, and for a connection that has been closed. */
export interface HandleAddress {
  readonly address?: string;
  readonly port?: number;
}

const NONE: HandleAddress = {};

export class HandleAddresses {
  readonly #handle: StreamHandle;
  #remote: HandleAddress | undefined;
  #local: HandleAddress | undefined;

  constructor(handle: StreamHandle) {
    this.#handle = handle;
  }

  /** @param isClosed its address can no longer be asked for, but is remembered, as by a socket */
  remote(isClosed: boolean): HandleAddress {
    if (this.#remote === undefined) {
      if (isClosed) return NONE;
      this.#remote = {};
      this.#handle.getpeername?.(this.#remote);
    }
    return this.#remote;
  }

  local(isClosed: boolean): HandleAddress {
    if (this.#local === undefined) {
      if (isClosed) return NONE;
      this.#local = {};
      this.#handle.getsockname?.(this.#local);
    }
    return this.#local;
  }
}
