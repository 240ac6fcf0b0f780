/**
 * Unix datagram sockets, which Node lacks, from libc through the optional package koffi. A socket is connected to one
 * receiver, and no call blocks.
 */
import { createRequire } from "node:module";

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  connect(fd: number, address: Buffer, length: number): number;
  send(fd: number, data: Buffer, size: number, flags: number): number;
  closeOnExec(fd: number): void;
  close(fd: number): number;
  errno(): number;
  errorName(errno: number): string;
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const IS_LINUX = process.platform === "linux";
const MSG_DONTWAIT = IS_LINUX ? 0x40 : 0x80;
/** Outside Linux, sending to a closed datagram socket raises no signal. */
const MSG_NOSIGNAL = IS_LINUX ? 0x4000 : 0;
/** Size of sun_path (unix(7)), including the terminating zero. */
const SUN_PATH_SIZE = IS_LINUX ? 108 : 104;

let cachedLibc: Libc | undefined;

/** @throws if koffi is not installed or not built for this platform */
function libc(): Libc {
  cachedLibc ??= loadLibc();
  return cachedLibc;
}

function loadLibc(): Libc {
  const require = createRequire(import.meta.url);
  const koffi = require("koffi") as typeof import("koffi");
  const { getSystemErrorName } = require("node:util") as typeof import("node:util");
  const library = koffi.load(null);
  const fcntl = library.func("int fcntl(int fd, int command, ...)");
  return {
    socket: library.func("int socket(int domain, int type, int protocol)"),
    connect: library.func("int connect(int fd, const void *address, uint32_t length)"),
    send: library.func("intptr_t send(int fd, const void *data, size_t size, int flags)"),
    close: library.func("int close(int fd)"),
    closeOnExec(fd) {
      fcntl(fd, F_SETFD, "int", FD_CLOEXEC);
    },
    errno: () => koffi.errno(),
    errorName: (errno) => getSystemErrorName(-errno),
  };
}

/** @throws if datagram sockets are unavailable: koffi is not installed or not built for this platform */
export function requireDatagrams(): void {
  libc();
}

/** Encodes a sockaddr_un. A leading @ stands for the zero byte of Linux's abstract names, which have no terminator. */
function unixAddress(path: string): Buffer {
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > SUN_PATH_SIZE) throw new Error(`the socket's name ${path} is too long`);
  // The family is in host byte order. BSDs have a length byte first and a family of one byte.
  const family = IS_LINUX
    ? Buffer.from(new Uint16Array([AF_UNIX]).buffer)
    : Buffer.from([name.length + 2, AF_UNIX]);
  return Buffer.concat([family, name]);
}

function systemError(call: string, path: string): NodeJS.ErrnoException {
  const errno = libc().errno();
  const code = libc().errorName(errno);
  return Object.assign(new Error(`${call} ${path}: ${code}`), { code, errno: -errno });
}

export class DatagramSocket {
  readonly #fd: number;
  readonly #path: string;

  /**
   * @param path the receiver's path; a leading @ denotes one of Linux's abstract names
   * @throws a system error with its `code` if there is no receiver, or another error without koffi
   */
  constructor(path: string) {
    const { socket, connect, closeOnExec } = libc();
    const address = unixAddress(path);
    this.#path = path;
    this.#fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (this.#fd < 0) throw systemError("socket", path);
    // Node spawns processes from this thread only, so none can inherit the socket before this call.
    closeOnExec(this.#fd);
    if (connect(this.#fd, address, address.length) === 0) return;
    const error = systemError("connect", path);
    this.close();
    throw error;
  }

  /**
   * Hands a datagram to the kernel. Returns false if the receiver's queue is full.
   * @throws a system error with its `code`
   */
  send(data: Buffer): boolean {
    const { send } = libc();
    if (send(this.#fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return true;
    const error = systemError("send", this.#path);
    if (error.code === "EAGAIN" || error.code === "ENOBUFS") return false;
    throw error;
  }

  close(): void {
    libc().close(this.#fd);
  }
}
