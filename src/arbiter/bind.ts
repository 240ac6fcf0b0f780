/**
 * Binding: the arbiter makes the listening sockets and holds them until it is told to stop, so that a
 * connection waits in the kernel while workers come and go. It never accepts one itself: it does not
 * even call listen; the first worker does, on the socket that all share.
 */

import { lstatSync, statSync, unlinkSync } from "node:fs";
import net from "node:net";
import { dirname, resolve } from "node:path";
import { type Address, formatAddress } from "../config/address.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { ownSocket, type SocketOwnership, withUmask } from "./identity.ts";
import { closeSocket, openSocket } from "./open-socket.ts";

/** A bound socket, as data: an upgrade hands it to the next arbiter. */
export interface Listener {
  readonly descriptor: number;
  /** For people: `http://127.0.0.1:8000`, `unix:/run/app.sock`. The port is the one that the system chose. */
  readonly url: string;
  /** systemd bound it. */
  readonly activated?: true;
  /** The file of a Unix socket that the server made, and has to remove. */
  readonly file?: SocketFile;
}

export interface SocketFile {
  /** Absolute. */
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** Removes the file of a Unix socket, if it is still the one that was made. Says whether it was. */
export function removeSocketFile({ file }: Listener): boolean {
  if (file === undefined) return false;
  const there = lstatSync(file.path, { throwIfNoEntry: false });
  if (there?.ino !== file.ino || there.dev !== file.dev) return false;
  unlinkSync(file.path);
  return true;
}

/**
 * Lets go of a socket while workers still finish what they have: the kernel goes on taking connections for it as long
 * as any process holds it, whether anybody accepts them or not. Node removes the file that a socket was bound to when it
 * closes it, by its name: where that is not the server's to remove (`shared` with another arbiter, or replaced by
 * somebody), the socket is kept, and so it is said.
 */
export function releaseSocket(listener: Listener, shared: boolean): boolean {
  if (listener.file !== undefined && (shared || !removeSocketFile(listener))) return false;
  closeSocket(listener.descriptor);
  return true;
}

/** The longest path of a Unix socket in bytes: `sun_path` less its NUL. libuv may cut a longer one short. */
const LONGEST_PATH = process.platform === "linux" ? 107 : 103;

/** Nobody may connect but the owner, until the file has the mode it was asked to have. */
const UMASK_BEFORE_MODE = 0o177;

export interface BindOptions {
  /** For the files of Unix sockets. */
  readonly ownership?: SocketOwnership | undefined;
  /** Other servers may bind the same TCP addresses (SO_REUSEPORT), if they say so too. */
  readonly reusePort?: boolean;
}

/**
 * Binds every address, or none.
 * @throws FatalError (failure) that names the address, what is wrong and what to do.
 */
export async function bindAll(
  addresses: readonly Address[],
  { ownership, reusePort = false }: BindOptions = {},
): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const address of addresses) {
      listeners.push(
        address.kind === "unix"
          ? await bindUnix(address.path, ownership)
          : await bindTcp(address, addresses, reusePort),
      );
    }
    return listeners;
  } catch (error) {
    for (const listener of listeners) removeSocketFile(listener);
    throw error;
  }
}

function cannotBind(what: string, why: string, cause?: unknown): FatalError {
  return new FatalError(`cannot bind ${what}: ${why}`, ExitCode.failure, { cause });
}

async function bindTcp(
  address: Address & { kind: "tcp" },
  all: readonly Address[],
  reusePort: boolean,
): Promise<Listener> {
  const shown = formatAddress(address);
  const host = net.isIP(address.host) === 0 ? await resolveHost(address.host, shown) : address.host;
  // `[::]:80` takes the IPv4 side too, unless that is bound on its own.
  const ipv6Only =
    net.isIPv6(host) &&
    all.some((other) => other.kind === "tcp" && other.port === address.port && net.isIPv4(other.host));
  const trouble = reusePort ? { ...TCP_TROUBLE, ...REUSE_TROUBLE } : TCP_TROUBLE;
  const socket = openSocket({ host, port: address.port, ipv6Only, reusePort }, (code) =>
    cannotBind(shown, trouble[code] ?? code),
  );
  const bound: Address = { kind: "tcp", host, port: socket.port };
  const url = `http://${formatAddress(bound)}`;
  return { descriptor: socket.fd, url };
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

async function bindUnix(path: string, ownership: SocketOwnership | undefined): Promise<Listener> {
  const absolute = resolve(path);
  const shown = `unix:${path}`;
  const bytes = Buffer.byteLength(absolute);
  if (bytes > LONGEST_PATH) {
    throw cannotBind(shown, `the path is too long: ${bytes} bytes, the system allows ${LONGEST_PATH}`);
  }
  const folder = statSync(dirname(absolute), { throwIfNoEntry: false });
  if (folder?.isDirectory() !== true) throw cannotBind(shown, `there is no folder ${dirname(absolute)}`);
  await removeStale(absolute, shown);
  const open = (): { fd: number } =>
    openSocket({ path: absolute }, (code) => cannotBind(shown, UNIX_TROUBLE[code] ?? code));
  const socket = ownership?.mode === undefined ? open() : withUmask(UMASK_BEFORE_MODE, open);
  const { dev, ino } = lstatSync(absolute);
  const listener = { descriptor: socket.fd, url: shown, file: { path: absolute, dev, ino } };
  try {
    if (ownership !== undefined) ownSocket(absolute, ownership);
  } catch (error) {
    removeSocketFile(listener);
    throw error;
  }
  return listener;
}

const UNIX_TROUBLE: { readonly [code: string]: string } = {
  EADDRINUSE: "the path is taken; remove it or choose another",
  EACCES: "no permission to make a file in this folder",
};

/** Removes a socket that nobody listens on: one that a connection is refused by, and no other. */
async function removeStale(path: string, shown: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) throw cannotBind(shown, "the path is taken by something that is no socket");
  const outcome = await new Promise<string>((done) => {
    const probe = net.connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      done("connected");
    });
    probe.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
  });
  // EAGAIN: somebody listens, and is so busy that the backlog is full.
  if (outcome === "connected" || outcome === "EAGAIN") {
    throw cannotBind(shown, "another server listens on it; stop it or choose another path");
  }
  if (outcome === "ECONNREFUSED") unlinkSync(path);
  else if (outcome !== "ENOENT")
    throw cannotBind(shown, `the socket that is there cannot be tried: ${outcome}`);
}
