/** The endpoints of a connection, as apps see them. */
import type { Endpoint } from "../gateway/types.ts";

/** An endpoint of a Unix socket, which has no address. */
export const UNIX_ENDPOINT: Endpoint = Object.freeze({ family: "unix", address: "", port: 0 });
/** An endpoint of a TCP connection that closed before its address was read. It must not be taken for a Unix socket. */
const CLOSED_ENDPOINT: Endpoint = Object.freeze({ family: "ipv4", address: "", port: 0 });

/** The address properties of a socket. */
interface SocketAddresses {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** The endpoints of a connection, as far as they are known without asking the system. */
export interface KnownEndpoints {
  /** A closed socket no longer shows whether it is a Unix socket. */
  readonly isUnix: boolean;
  /** From a PROXY header; undefined: the socket's own. */
  readonly peer?: Endpoint;
  readonly local?: Endpoint;
}

const OF_UNIX: KnownEndpoints = Object.freeze({ isUnix: true });
const OF_TCP: KnownEndpoints = Object.freeze({ isUnix: false });

/** The facts that all connections of a socket share. */
export function knownBySocket(isUnix: boolean): KnownEndpoints {
  return isUnix ? OF_UNIX : OF_TCP;
}

/** The endpoints of one connection, looked up on first access because each costs a system call. */
export class ConnectionEndpoints<Known extends KnownEndpoints = KnownEndpoints> {
  protected readonly known: Known;
  readonly #socket: SocketAddresses;
  #peer: Endpoint | undefined;
  #local: Endpoint | undefined;

  constructor(socket: SocketAddresses, known: Known) {
    this.#socket = socket;
    this.known = known;
  }

  get peer(): Endpoint {
    this.#peer ??= this.known.peer ?? this.#ask("remote");
    return this.#peer;
  }

  get local(): Endpoint {
    this.#local ??= this.known.local ?? this.#ask("local");
    return this.#local;
  }

  #ask(side: "remote" | "local"): Endpoint {
    if (this.known.isUnix) return UNIX_ENDPOINT;
    const socket = this.#socket;
    const address = side === "remote" ? socket.remoteAddress : socket.localAddress;
    const port = side === "remote" ? socket.remotePort : socket.localPort;
    return address === undefined || port === undefined ? CLOSED_ENDPOINT : endpoint(address, port);
  }
}

/** Creates an endpoint from an IP address as the system formats it. */
export function endpoint(address: string, port: number): Endpoint {
  // On a dual-stack socket an IPv4 client has a mapped address.
  if (address.startsWith("::ffff:")) return { family: "ipv4", address: address.slice(7), port };
  // The system has checked it: Node's `isIPv6` would compile a large regular expression on the first connection (5 ms).
  return { family: address.includes(":") ? "ipv6" : "ipv4", address, port };
}
