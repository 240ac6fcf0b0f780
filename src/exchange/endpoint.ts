/** The ends of a connection as an app sees them. */
import { isIPv6 } from "node:net";
import type { Endpoint } from "../gateway/types.ts";

/** An end of a Unix socket, which says nothing of itself. */
export const UNIX_END: Endpoint = Object.freeze({ family: "unix", address: "", port: 0 });
/** An end of a TCP connection that was gone before anybody asked. It must not pass for a Unix socket's. */
const GONE_END: Endpoint = Object.freeze({ family: "ipv4", address: "", port: 0 });

/** What a socket says of its ends. */
interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** The ends of one connection. Each is a system call, made when somebody wants to know. */
export class ConnectionEnds {
  readonly #socket: Ends;
  readonly #unix: boolean;
  #peer: Endpoint | undefined;
  #local: Endpoint | undefined;

  /** @param unix whether it came by a Unix socket, which cannot be seen any more once the socket is closed */
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

/** Makes an endpoint of an IP address in the form that the system gives it. */
export function endpoint(address: string, port: number): Endpoint {
  // On a socket that takes both families, an IPv4 client comes with a mapped address.
  if (address.startsWith("::ffff:")) return { family: "ipv4", address: address.slice(7), port };
  return { family: isIPv6(address) ? "ipv6" : "ipv4", address, port };
}
