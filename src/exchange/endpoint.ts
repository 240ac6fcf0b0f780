/** The ends of a connection, as apps see them. */
import { isIPv6 } from "node:net";
import type { Endpoint } from "../gateway/types.ts";

/** An end of a Unix socket, which has no address. */
export const UNIX_END: Endpoint = Object.freeze({ family: "unix", address: "", port: 0 });
/** An end of a TCP connection that closed before its address was read. It must not be taken for a Unix socket. */
const GONE_END: Endpoint = Object.freeze({ family: "ipv4", address: "", port: 0 });

/** The address properties of a socket. */
interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** The ends of one connection, looked up on first access because each costs a system call. */
export class ConnectionEnds {
  readonly #socket: Ends;
  readonly #unix: boolean;
  #peer: Endpoint | undefined;
  #local: Endpoint | undefined;

  /** @param unix whether it is a Unix socket, which a closed socket no longer shows */
  constructor(socket: Ends, unix: boolean) {
    this.#socket = socket;
    this.#unix = unix;
  }

  get peer(): Endpoint {
    this.#peer ??= this.#end(this.#socket.remoteAddress, this.#socket.remotePort);
    return this.#peer;
  }

  get local(): Endpoint {
    this.#local ??= this.#end(this.#socket.localAddress, this.#socket.localPort);
    return this.#local;
  }

  #end(address: string | undefined, port: number | undefined): Endpoint {
    if (this.#unix) return UNIX_END;
    return address === undefined || port === undefined ? GONE_END : endpoint(address, port);
  }
}

/** Creates an endpoint from an IP address as the system formats it. */
export function endpoint(address: string, port: number): Endpoint {
  // On a dual-stack socket an IPv4 client has a mapped address.
  if (address.startsWith("::ffff:")) return { family: "ipv4", address: address.slice(7), port };
  return { family: isIPv6(address) ? "ipv6" : "ipv4", address, port };
}
