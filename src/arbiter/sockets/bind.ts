/**
 * Binds the listening sockets. The arbiter holds them until it stops, so that connections wait in the kernel while
 * workers boot and are replaced. It accepts none itself.
 */
import { lstatSync, statSync, unlinkSync } from "node:fs";
import net from "node:net";
import { dirname, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Address, formatAddress } from "../../config/address.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { ownSocket, type SocketOwnership, withUmask } from "../../system/identity.ts";
import { isAboutToListen } from "../../system/socket-table.ts";
import {
  hasName,
  removeStaleSocket,
  SOCKET_PATH_MAX,
  type SocketFile,
  tryConnecting,
} from "../../system/unix-socket.ts";
import { bindSocket, closeSocket, listenWithoutAccepting } from "./open-socket.ts";

/** A bound socket, as data: an upgrade passes it to the new arbiter. */
export interface Listener {
  readonly descriptor: number;
  /** For messages: `http://127.0.0.1:8000`, `https://…` with TLS, `unix:/run/app.sock`. For port 0, the port that the system chose. */
  readonly url: string;
  /** Bound by systemd. */
  readonly activated?: true;
  /** The only slot whose workers accept on it, if it is their own (`--worker-bind`). */
  readonly slot?: number;
  /** With `slot`: the address as it was configured. */
  readonly address?: string;
  /** The file of a Unix socket that the server created and must remove; an absolute path. */
  readonly file?: SocketFile;
}

/** The state of a Unix socket's path that was lost: nothing there, another server's socket, or something else. */
export type FileLoss = "removed" | "another socket" | "no socket";

/** Why clients cannot reach a Unix socket by its path; undefined if its file is in place or it has none. */
export function fileLoss({ file }: Listener): FileLoss | undefined {
  if (file === undefined) return undefined;
  if (hasName(file)) return undefined;
  const there = lstatSync(file.path, { throwIfNoEntry: false });
  if (there === undefined) return "removed";
  return there.isSocket() ? "another socket" : "no socket";
}

/** Removes the file of a Unix socket unless another file has replaced it. */
export function removeSocketFile(listener: Listener): void {
  if (listener.file !== undefined && fileLoss(listener) === undefined) unlinkSync(listener.file.path);
}

/**
 * Closes a socket while workers still finish their requests: the kernel queues connections as long as any process holds
 * it, even if none accepts. Removes its file first, unless it was replaced.
 *
 * @param isShared another arbiter has the same socket: leave the file
 */
export function releaseSocket(listener: Listener, isShared: boolean): void {
  if (!isShared) removeSocketFile(listener);
  closeSocket(listener.descriptor);
}

/** Only the owner may connect until the file has its configured mode. */
const UMASK_BEFORE_MODE = 0o177;

export interface BindOptions {
  /** Owner and mode of Unix sockets. */
  readonly ownership?: SocketOwnership | undefined;
  /**
   * Let other servers that set it too bind the same TCP addresses (SO_REUSEPORT). Such a socket listens only from its
   * first worker on: once it listens it gets a share of the connections, which until then the other servers accept.
   */
  readonly reusePort?: boolean;
  /** Maximum number of connections that wait to be accepted. */
  readonly backlog: number;
  /** It is the workers' own socket of one slot. */
  readonly isForSlot?: boolean;
  /** How clients speak to it, for its URL. */
  readonly scheme?: "http" | "https";
}

/**
 * Binds and listens on all addresses, or none. From then on clients wait instead of being refused.
 * @throws FatalError (failure) with the address, the reason and the remedy
 */
export async function bindAll(addresses: readonly Address[], options: BindOptions): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const address of addresses) listeners.push(await bindOne(address, options, listeners, addresses));
    return listeners;
  } catch (error) {
    for (const listener of listeners) releaseSocket(listener, false);
    throw error;
  }
}

/**
 * Binds and listens on one address.
 *
 * @param before the sockets that are bound already
 * @param all the addresses that will be bound too
 * @throws FatalError (failure) with the address, the reason and the remedy
 */
export async function bindOne(
  address: Address,
  options: BindOptions,
  before: readonly Listener[],
  all: readonly Address[] = [address],
): Promise<Listener> {
  return address.kind === "unix"
    ? await bindUnix(address.path, options, before)
    : await bindTcp(address, all, options, before);
}

/**
 * Binds an unreachable Unix socket anew at its path. Leaves the old socket as it is.
 * @throws FatalError (failure) if it cannot be bound, or if anything but a dead socket is at its path
 */
export async function bindAgain(lost: Listener, options: BindOptions): Promise<Listener> {
  const { file } = lost;
  if (file === undefined || fileLoss(lost) === undefined) return lost;
  const bound = await bindUnix(file.path, options, []);
  return { ...lost, ...bound, url: lost.url };
}

function cannotBind(what: string, why: string, cause?: unknown): FatalError {
  return new FatalError(`cannot bind ${what}: ${why}`, ExitCode.failure, { cause });
}

async function bindTcp(
  address: Address & { kind: "tcp" },
  all: readonly Address[],
  { reusePort = false, backlog, isForSlot = false, scheme = "http" }: BindOptions,
  before: readonly Listener[],
): Promise<Listener> {
  const label = formatAddress(address);
  const host = net.isIP(address.host) === 0 ? await resolveHost(address.host, label) : address.host;
  // `[::]:80` also accepts IPv4, unless an IPv4 address with this port is bound separately.
  const ipv6Only =
    host.includes(":") &&
    all.some((other) => other.kind === "tcp" && other.port === address.port && net.isIPv4(other.host));
  const reasons = reusePort ? { ...TCP_ERRORS, ...REUSE_PORT_ERRORS } : TCP_ERRORS;
  const bindError = (code: string): FatalError => {
    const twin =
      code === "EADDRINUSE" ? before.find((other) => overlaps(other, host, address.port)) : undefined;
    return cannotBind(label, twin === undefined ? (reasons[code] ?? code) : alreadyBound(twin, isForSlot));
  };
  const socket = bindSocket({ host, port: address.port, ipv6Only, reusePort }, bindError);
  if (!reusePort) await listenWithoutAccepting(socket.fd, backlog, bindError);
  const bound: Address = { kind: "tcp", host, port: socket.port };
  const url = `${scheme}://${formatAddress(bound)}`;
  return { descriptor: socket.fd, url };
}

/** The beginning of the URL of a TCP socket. */
const TCP_URL = /^https?:\/\//;

const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** Whether a bound socket has the same port, and the same address or one of the two is a wildcard. */
function overlaps({ url }: Listener, host: string, port: number): boolean {
  if (!TCP_URL.test(url)) return false;
  // A URL omits port 80, or 443 with https.
  const { hostname, port: boundPort } = new URL(url.replace(TCP_URL, "http://"));
  const boundHost = hostname.replace(/^\[|\]$/g, "");
  if (Number(boundPort || 80) !== port) return false;
  return boundHost === host || WILDCARDS.has(boundHost) || WILDCARDS.has(host);
}

function alreadyBound({ url }: Listener, isForSlot: boolean): string {
  const other = url.replace(TCP_URL, "");
  if (isForSlot) return `worker-bind contains it too, ${other} has it already; change one of them`;
  return `bind contains it twice, ${other} has it already; remove one of them`;
}

const TCP_ERRORS: { readonly [code: string]: string } = {
  EADDRINUSE: "the port is in use; stop the other server or choose another port",
  EACCES: "no permission; ports below 1024 need root or CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: "this machine has no such address",
  EAFNOSUPPORT: "this machine does not support this address family",
};

const REUSE_PORT_ERRORS: { readonly [code: string]: string } = {
  EADDRINUSE: "the port is in use by a server without --reuse-port, or by another user's server",
  ENOTSUP: "this system cannot share a port among servers; remove --reuse-port",
};

/** Prefers IPv4, which is what most clients' configurations mean by `localhost`. */
async function resolveHost(host: string, label: string): Promise<string> {
  try {
    const { lookup } = await import("node:dns/promises");
    const found = await lookup(host, { all: true });
    const chosen = found.find((entry) => entry.family === 4) ?? found[0];
    if (chosen !== undefined) return chosen.address;
  } catch (error) {
    throw cannotBind(label, `cannot resolve the host name ${host}`, error);
  }
  throw cannotBind(label, `the host name ${host} has no address`);
}

async function bindUnix(
  path: string,
  { ownership, backlog, isForSlot = false }: BindOptions,
  before: readonly Listener[],
): Promise<Listener> {
  const absolute = resolve(path);
  const label = `unix:${path}`;
  const bytes = Buffer.byteLength(absolute);
  if (bytes > SOCKET_PATH_MAX) {
    throw cannotBind(label, `the path is too long: ${bytes} bytes, the system allows ${SOCKET_PATH_MAX}`);
  }
  const folder = statSync(dirname(absolute), { throwIfNoEntry: false });
  if (folder?.isDirectory() !== true) throw cannotBind(label, `there is no folder ${dirname(absolute)}`);
  const twin = before.find(({ file }) => file?.path === absolute);
  if (twin !== undefined) throw cannotBind(label, alreadyBound(twin, isForSlot));
  const bindError = (code: string): FatalError => cannotBind(label, UNIX_ERRORS[code] ?? code, code);
  const bind = (): { fd: number } => bindSocket({ path: absolute }, bindError);
  const bindPrivately = (): { fd: number } =>
    ownership?.mode === undefined ? bind() : withUmask(UMASK_BEFORE_MODE, bind);
  await removeStale(absolute, label);
  let socket: { fd: number };
  try {
    socket = bindPrivately();
  } catch (error) {
    if ((error as FatalError).cause !== "EADDRINUSE") throw error;
    // The path was taken meanwhile: if by a live server that starts at the same time, removeStale throws.
    await removeStale(absolute, label);
    socket = bindPrivately();
  }
  const { dev, ino } = lstatSync(absolute);
  const listener = { descriptor: socket.fd, url: label, file: { path: absolute, dev, ino } };
  try {
    await listenWithoutAccepting(socket.fd, backlog, bindError);
    if (ownership !== undefined) ownSocket(absolute, ownership);
  } catch (error) {
    releaseSocket(listener, false);
    throw error;
  }
  return listener;
}

const UNIX_ERRORS: { readonly [code: string]: string } = {
  EADDRINUSE: "the path is in use; remove it or choose another",
  EACCES: "no permission to create a file in this folder",
};

/** A socket that refuses connections is tried again: its server may be about to listen. */
const MAX_CONNECT_ATTEMPTS = 20;
const CONNECT_RETRY_MS = 50;

/** Removes the file of a dead socket, which is one that refuses connections. Throws if anything else is at the path. */
async function removeStale(path: string, label: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (!stats.isSocket()) throw cannotBind(label, "the path exists and is not a socket");
    const outcome = await tryConnecting(path);
    if (outcome === "ENOENT") return;
    const isListening = outcome === "connected" || outcome === "EAGAIN";
    if (!isListening && outcome !== "ECONNREFUSED") {
      throw cannotBind(
        label,
        `cannot tell whether a server uses the socket at this path (${outcome}); remove it or choose another path`,
      );
    }
    if (isListening || attempt === MAX_CONNECT_ATTEMPTS) {
      throw cannotBind(label, "another server listens on it; stop it or choose another path");
    }
    if (isAboutToListen(path) ?? attempt < 2) await pause(CONNECT_RETRY_MS);
    else removeStaleSocket({ path, dev: stats.dev, ino: stats.ino });
  }
}
