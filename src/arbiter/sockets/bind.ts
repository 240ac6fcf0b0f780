/**
 * Binding: the arbiter makes the listening sockets and holds them until it is told to stop, so that a
 * connection waits in the kernel while workers boot, come and go. It never accepts one itself.
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
  discard,
  hasName,
  SOCKET_PATH_MAX,
  type SocketFile,
  tryConnecting,
} from "../../system/unix-socket.ts";
import { bindSocket, closeSocket, listenWithoutAccepting } from "./open-socket.ts";

/** A bound socket, as data: an upgrade hands it to the next arbiter. */
export interface Listener {
  readonly descriptor: number;
  /** For people: `http://127.0.0.1:8000`, `unix:/run/app.sock`. The port is the one that the system chose. */
  readonly url: string;
  /** systemd bound it. */
  readonly activated?: true;
  /** The file of a Unix socket that the server made, and has to remove; its path is absolute. */
  readonly file?: SocketFile;
}

/** What stands in the place of a Unix socket's file: nothing, another server's socket, or something else. */
export type FileLoss = "removed" | "another socket" | "no socket";

/**
 * Why no client reaches a Unix socket by its path any more; undefined while its file is in place, and for a socket
 * without one.
 */
export function fileLoss({ file }: Listener): FileLoss | undefined {
  if (file === undefined) return undefined;
  if (hasName(file)) return undefined;
  const there = lstatSync(file.path, { throwIfNoEntry: false });
  if (there === undefined) return "removed";
  return there.isSocket() ? "another socket" : "no socket";
}

/** Removes the file of a Unix socket, if it is still the one that was made. */
export function removeSocketFile(listener: Listener): void {
  if (listener.file !== undefined && fileLoss(listener) === undefined) unlinkSync(listener.file.path);
}

/**
 * Closes a socket while workers still finish what they have: the kernel goes on queueing connections as long as any
 * process holds it, whether anybody accepts them or not. Its file goes first, unless it is `shared` with another arbiter
 * or somebody has replaced it.
 */
export function releaseSocket(listener: Listener, shared: boolean): void {
  if (!shared) removeSocketFile(listener);
  closeSocket(listener.descriptor);
}

/** Nobody may connect but the owner, until the file has the mode it was asked to have. */
const UMASK_BEFORE_MODE = 0o177;

export interface BindOptions {
  /** For the files of Unix sockets. */
  readonly ownership?: SocketOwnership | undefined;
  /**
   * Other servers may bind the same TCP addresses (SO_REUSEPORT), if they say so too. Such a socket listens from its
   * first worker on: it gets a share of the connections at once, which the other servers can answer while this one boots.
   */
  readonly reusePort?: boolean;
  /** How many connections may wait until a worker accepts them. */
  readonly backlog: number;
}

/**
 * Binds every address and listens on it, or none. From here on clients wait instead of being refused.
 * @throws FatalError (failure) that names the address, what is wrong and what to do.
 */
export async function bindAll(addresses: readonly Address[], options: BindOptions): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const address of addresses) {
      listeners.push(
        address.kind === "unix"
          ? await bindUnix(address.path, options, listeners)
          : await bindTcp(address, addresses, options, listeners),
      );
    }
    return listeners;
  } catch (error) {
    for (const listener of listeners) releaseSocket(listener, false);
    throw error;
  }
}

/**
 * Binds a Unix socket that clients cannot reach any more once more, at the same path. The old socket is left as it is.
 * @throws FatalError (failure) when it cannot, and when something else than a dead socket is in the place of the file
 */
export async function bindAgain(lost: Listener, options: BindOptions): Promise<Listener> {
  const { file, url } = lost;
  if (file === undefined || fileLoss(lost) === undefined) return lost;
  return { ...(await bindUnix(file.path, options, [])), url };
}

function cannotBind(what: string, why: string, cause?: unknown): FatalError {
  return new FatalError(`cannot bind ${what}: ${why}`, ExitCode.failure, { cause });
}

async function bindTcp(
  address: Address & { kind: "tcp" },
  all: readonly Address[],
  { reusePort = false, backlog }: BindOptions,
  before: readonly Listener[],
): Promise<Listener> {
  const shown = formatAddress(address);
  const host = net.isIP(address.host) === 0 ? await resolveHost(address.host, shown) : address.host;
  // `[::]:80` takes the IPv4 side too, unless that is bound on its own.
  const ipv6Only =
    net.isIPv6(host) &&
    all.some((other) => other.kind === "tcp" && other.port === address.port && net.isIPv4(other.host));
  const reasons = reusePort ? { ...TCP_TROUBLE, ...REUSE_TROUBLE } : TCP_TROUBLE;
  const trouble = (code: string): FatalError => {
    const twin =
      code === "EADDRINUSE" ? before.find((other) => overlaps(other, host, address.port)) : undefined;
    return cannotBind(shown, twin === undefined ? (reasons[code] ?? code) : namedTwice(twin));
  };
  const socket = bindSocket({ host, port: address.port, ipv6Only, reusePort }, trouble);
  if (!reusePort) await listenWithoutAccepting(socket.fd, backlog, trouble);
  const bound: Address = { kind: "tcp", host, port: socket.port };
  const url = `http://${formatAddress(bound)}`;
  return { descriptor: socket.fd, url };
}

const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** Whether a socket that is bound has the port of `host` as well: it is the same address, or one of them is all. */
function overlaps({ url }: Listener, host: string, port: number): boolean {
  if (!url.startsWith("http://")) return false;
  const { hostname, port: taken } = new URL(url);
  const other = hostname.replace(/^\[|\]$/g, "");
  // A URL leaves out port 80.
  return Number(taken || 80) === port && (other === host || WILDCARDS.has(other) || WILDCARDS.has(host));
}

function namedTwice({ url }: Listener): string {
  return `bind names it twice, ${url.replace("http://", "")} has it already; leave one of them out`;
}

const TCP_TROUBLE: { readonly [code: string]: string } = {
  EADDRINUSE: "the port is taken; stop the other server or choose another port",
  EACCES: "no permission; ports below 1024 need root or CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: "this machine has no such address",
  EAFNOSUPPORT: "this machine has no addresses of this family",
};

const REUSE_TROUBLE: { readonly [code: string]: string } = {
  EADDRINUSE: "the port is taken by a server without --reuse-port, or by one of another user",
  ENOTSUP: "this system does not share a port out among servers: leave --reuse-port out",
};

/** The IPv4 address where there is one: that is what `localhost` means to most clients' configuration. */
async function resolveHost(host: string, shown: string): Promise<string> {
  try {
    const { lookup } = await import("node:dns/promises");
    const found = await lookup(host, { all: true });
    const chosen = found.find((entry) => entry.family === 4) ?? found[0];
    if (chosen !== undefined) return chosen.address;
  } catch (error) {
    throw cannotBind(shown, `the host name ${host} is not known`, error);
  }
  throw cannotBind(shown, `the host name ${host} has no address`);
}

async function bindUnix(
  path: string,
  { ownership, backlog }: BindOptions,
  before: readonly Listener[],
): Promise<Listener> {
  const absolute = resolve(path);
  const shown = `unix:${path}`;
  const bytes = Buffer.byteLength(absolute);
  if (bytes > SOCKET_PATH_MAX) {
    throw cannotBind(shown, `the path is too long: ${bytes} bytes, the system allows ${SOCKET_PATH_MAX}`);
  }
  const folder = statSync(dirname(absolute), { throwIfNoEntry: false });
  if (folder?.isDirectory() !== true) throw cannotBind(shown, `there is no folder ${dirname(absolute)}`);
  const twin = before.find(({ file }) => file?.path === absolute);
  if (twin !== undefined) throw cannotBind(shown, namedTwice(twin));
  const trouble = (code: string): FatalError => cannotBind(shown, UNIX_TROUBLE[code] ?? code, code);
  const open = (): { fd: number } => bindSocket({ path: absolute }, trouble);
  const make = (): { fd: number } =>
    ownership?.mode === undefined ? open() : withUmask(UMASK_BEFORE_MODE, open);
  await removeStale(absolute, shown);
  let socket: { fd: number };
  try {
    socket = make();
  } catch (error) {
    if ((error as FatalError).cause !== "EADDRINUSE") throw error;
    // Another server has started at the same moment: it is told from what is left of a dead one by trying.
    await removeStale(absolute, shown);
    socket = make();
  }
  const { dev, ino } = lstatSync(absolute);
  const listener = { descriptor: socket.fd, url: shown, file: { path: absolute, dev, ino } };
  try {
    await listenWithoutAccepting(socket.fd, backlog, trouble);
    if (ownership !== undefined) ownSocket(absolute, ownership);
  } catch (error) {
    releaseSocket(listener, false);
    throw error;
  }
  return listener;
}

const UNIX_TROUBLE: { readonly [code: string]: string } = {
  EADDRINUSE: "the path is taken; remove it or choose another",
  EACCES: "no permission to make a file in this folder",
};

/** How often, and after how many milliseconds, a socket that refuses is tried again: its server may be about to listen. */
const STALE_TRIES = 20;
const STALE_PAUSE = 50;

/** Removes the file of a socket that nobody has open: one that refuses a connection, and no other. */
async function removeStale(path: string, shown: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there === undefined) return;
    if (!there.isSocket()) throw cannotBind(shown, "the path is taken by something that is no socket");
    const outcome = await tryConnecting(path);
    if (outcome === "ENOENT") return;
    const listens = outcome === "connected" || outcome === "EAGAIN";
    if (!listens && outcome !== "ECONNREFUSED") {
      throw cannotBind(shown, `the socket that is there cannot be tried: ${outcome}`);
    }
    if (listens || tries === STALE_TRIES) {
      throw cannotBind(shown, "another server listens on it; stop it or choose another path");
    }
    if (isAboutToListen(path) ?? tries < 2) await pause(STALE_PAUSE);
    else discard({ path, dev: there.dev, ino: there.ino });
  }
}
