/** The members of a net.Socket that apps use beyond those of a stream, for a stream that stands in for a connection. */
import type { Duplex } from "node:stream";
import type { GatewayRequest } from "../gateway/types.ts";

export function addSocketMembers(socket: Duplex, request: GatewayRequest): void {
  const { remote, local } = request;
  const known = (address: string): string | undefined => (address === "" ? undefined : address);
  const chained = (): Duplex => socket;
  Object.assign(socket, {
    remoteAddress: known(remote.address),
    remotePort: remote.port,
    remoteFamily: remote.family === "ipv6" ? "IPv6" : "IPv4",
    localAddress: known(local.address),
    localPort: local.port,
    encrypted: request.scheme === "https",
    setTimeout: chained,
    setNoDelay: chained,
    setKeepAlive: chained,
    ref: chained,
    unref: chained,
    destroySoon: () => socket.end(),
  });
}
