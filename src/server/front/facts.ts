/** The facts that the front of a connection has learned before the first byte of HTTP: by the PROXY protocol, and from TLS. */
import type { Socket } from "node:net";
import type { Endpoint, ProxyInfo, TlsInfo } from "../../gateway/types.ts";

/** The protocols that a connection may speak behind its front, as ALPN names them (RFC 7301 section 6). */
export type Protocol = "http/1.1" | "h2";

/** Each stage of a front adds what it learns. */
export interface ConnectionFacts {
  /** Whether the listening socket is a Unix socket. */
  readonly isUnix: boolean;
  /** The client, as the balancer's PROXY header names it, which then is the peer in every respect. */
  peer?: Endpoint;
  /** The address that the client connected to, as the PROXY header names it. */
  local?: Endpoint;
  proxy?: ProxyInfo;
  tls?: TlsInfo;
  /** Default: `http/1.1`. */
  protocol?: Protocol;
  /** When the front began to wait for HTTP, as in `performance.now()`; undefined while it waits for something else. */
  waitsSince?: number;
  /** Whether it waits for the first byte of that, as an idle connection does. */
  isIdle?: boolean;
}

const FACTS = Symbol("tsgun.front");

type FrontedSocket = Socket & { [FACTS]?: ConnectionFacts; readonly _parent?: FrontedSocket | null };

/** Keeps the facts with the socket on which HTTP is spoken, for servers that get nothing but that. */
export function rememberFacts(socket: Socket, facts: ConnectionFacts): void {
  (socket as FrontedSocket)[FACTS] = facts;
  const { peer, local } = facts;
  if (peer !== undefined) showEnd(socket, "remote", peer);
  if (local !== undefined) showEnd(socket, "local", local);
}

/** The facts of a socket that came through a front, or that is around one that did; undefined for others. */
export function factsOf(socket: Socket): ConnectionFacts | undefined {
  return (socket as FrontedSocket)[FACTS] ?? inheritFacts(socket);
}

/** Whether the client speaks TLS, to this server or to a balancer whose PROXY header says so. */
export function isSecure(socket: Socket): boolean {
  if ((socket as Socket & { readonly encrypted?: boolean }).encrypted === true) return true;
  return (socket as FrontedSocket)[FACTS]?.proxy?.tls !== undefined;
}

/** Gives the socket of TLS in an app's own server the facts of the socket below it. */
export function inheritFacts(socket: Socket): ConnectionFacts | undefined {
  const facts = (socket as FrontedSocket)._parent?.[FACTS];
  if (facts !== undefined) rememberFacts(socket, facts);
  return facts;
}

/** Node's answers of the system to "who is there", which a socket keeps under these names: to set them is to tell it. */
const KEPT_NAMES = { remote: "_peername", local: "_sockname" } as const;

/** Has a socket show a told end where Node shows its own: `remoteAddress`, `remotePort`, `remoteFamily`. */
function showEnd(socket: Socket, which: "remote" | "local", { family, address, port }: Endpoint): void {
  // A Unix socket has none.
  const isUnix = family === "unix";
  const shown = isUnix ? {} : { address, port, family: family === "ipv4" ? "IPv4" : "IPv6" };
  (socket as unknown as Record<string, object>)[KEPT_NAMES[which]] = shown;
  if (socket[`${which}Address`] !== (isUnix ? undefined : address)) defineEnd(socket, which, shown);
}

/** For a Node that keeps them otherwise. Own properties cost a hundred times as much. */
function defineEnd(
  socket: Socket,
  which: "remote" | "local",
  { address, port, family }: { address?: string; port?: number; family?: string },
): void {
  for (const [name, value] of Object.entries({ Address: address, Port: port, Family: family }))
    Object.defineProperty(socket, `${which}${name}`, { value, configurable: true, writable: true });
}
