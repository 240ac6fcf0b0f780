/**
 * TCP sockets that share their port with other servers (SO_REUSEPORT), for Node versions without the option: from libc
 * through the optional package koffi, Linux only.
 */
import { createRequire } from "node:module";

interface Address {
  /** An IP address, not a name. */
  readonly host: string;
  readonly port: number;
  readonly ipv6Only: boolean;
}

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

const ON = int(1);

function int(value: number): Buffer {
  return Buffer.from(new Int32Array([value]).buffer);
}

/**
 * Binds without listening, like Node except for the one option.
 * @throws a system error with its `code` and `syscall`; another error without koffi or outside Linux
 */
export function bindReusable({ host, port, ipv6Only }: Address): { fd: number; port: number } {
  if (process.platform !== "linux") throw new Error("the numbers of libc are known for Linux alone");
  const require = createRequire(import.meta.url);
  const koffi = require("koffi") as typeof import("koffi");
  const { getSystemErrorName } = require("node:util") as typeof import("node:util");
  const libc = koffi.load(null);
  const socket = libc.func("int socket(int domain, int type, int protocol)");
  const setsockopt = libc.func(
    "int setsockopt(int fd, int level, int name, const void *value, uint32_t length)",
  );
  const bind = libc.func("int bind(int fd, const void *address, uint32_t length)");
  const getsockname = libc.func("int getsockname(int fd, void *address, void *length)");
  const close = libc.func("int close(int fd)");

  const address = socketAddress(host, port);
  const family = address.length === IPV6_LENGTH ? AF_INET6 : AF_INET;
  const fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0) as number;
  const check = (syscall: string, result: number): void => {
    if (result >= 0) return;
    const code = getSystemErrorName(-koffi.errno());
    if (fd >= 0) close(fd);
    throw Object.assign(new Error(`${syscall}: ${code}`), { code, syscall });
  };
  check("socket", fd);
  check("setsockopt", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ON, ON.length));
  check("setsockopt", setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, ON, ON.length));
  if (ipv6Only) check("setsockopt", setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, ON, ON.length));
  check("bind", bind(fd, address, address.length));
  check("getsockname", getsockname(fd, address, int(address.length)));
  return { fd, port: address.readUInt16BE(2) };
}

const IPV4_LENGTH = 16;
const IPV6_LENGTH = 28;

/** Encodes a sockaddr_in or sockaddr_in6: the family in host byte order, the rest in network byte order. */
function socketAddress(host: string, port: number): Buffer {
  const bytes = host.includes(":") ? ipv6Bytes(host) : Buffer.from(host.split(".").map(Number));
  const address = Buffer.alloc(bytes.length === 16 ? IPV6_LENGTH : IPV4_LENGTH);
  new Uint16Array(address.buffer, address.byteOffset, 1)[0] = bytes.length === 16 ? AF_INET6 : AF_INET;
  address.writeUInt16BE(port, 2);
  bytes.copy(address, bytes.length === 16 ? 8 : 4);
  return address;
}

/** The sixteen bytes of a valid address. URL normalises it to a form without dots; it does not accept a zone. */
function ipv6Bytes(host: string): Buffer {
  const [front = "", back] = new URL(`http://[${host}]`).hostname.slice(1, -1).split("::");
  const words = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((word) => Number.parseInt(word, 16));
  const [before, after] = [words(front), words(back ?? "")];
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}
