/** The ways to a syslog server: UDP, TCP, and the datagrams and streams of Unix sockets. None keeps the process alive. */
import type { Socket as UdpSocket } from "node:dgram";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import { DatagramSocket } from "../native/datagram-socket.ts";

/** Where the server is. Without a `type` a Unix socket is tried with datagrams first, then as a stream. */
export type SyslogTarget =
  | { readonly transport: "udp" | "tcp"; readonly host: string; readonly port: number }
  | {
      readonly transport: "unix";
      readonly path: string;
      readonly type: "dgram" | "stream" | undefined;
    };

/** An open way. */
export interface SyslogLink {
  /** Hands a message over. False: not now, since too much is on its way. Never throws. */
  send(message: Buffer): boolean;
  /** Resolves when what was handed over has left the process, as far as it can be known. */
  close(): Promise<void>;
}

/** Called once, when an open way is broken; without a reason when the server has simply ended the connection. */
export type Down = (why: Error | undefined) => void;

/** Opens a way; rejects with the reason. */
export async function openLink(target: SyslogTarget, down: Down): Promise<SyslogLink> {
  if (target.transport === "unix") return openUnix(target.path, target.type, down);
  const { transport, host, port } = target;
  return transport === "udp" ? openUdp(host, port, down) : openStream({ host, port }, down);
}

async function openUnix(path: string, type: "dgram" | "stream" | undefined, down: Down): Promise<SyslogLink> {
  if (type === "stream") return openStream({ path }, down);
  try {
    return new DatagramLink(new DatagramSocket(path), down);
  } catch (error) {
    const isStream = (error as NodeJS.ErrnoException).code === "EPROTOTYPE";
    if (type === undefined && isStream) return openStream({ path }, down);
    throw error;
  }
}

/** How much may wait in a stream, in bytes, before it takes no more. */
const MOST_ON_ITS_WAY = 256 * 1024;
const CONNECT_TIME = 5000;

const require = createRequire(import.meta.url);

/** Connected, so that each datagram goes to the kernel at once, and a refusal is heard of. */
async function openUdp(host: string, port: number, down: Down): Promise<SyslogLink> {
  const { createSocket } = require("node:dgram") as typeof import("node:dgram");
  const { lookup } = require("node:dns/promises") as typeof import("node:dns/promises");
  // Of localhost, which has both, IPv4: the address that receivers are bound to by habit.
  const { address, family } = await lookup(host, { verbatim: false });
  const socket = createSocket(family === 6 ? "udp6" : "udp4").unref();
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(port, address, resolve);
  });
  return new UdpLink(socket, down);
}

class UdpLink implements SyslogLink {
  readonly #socket: UdpSocket;
  readonly #sent: (error: Error | null) => void;
  #open = true;
  #onItsWay = 0;
  #idle: () => void = () => {};

  constructor(socket: UdpSocket, down: Down) {
    this.#socket = socket;
    const broken = (error: Error): void => {
      if (!this.#open) return;
      void this.close();
      down(error);
    };
    socket.removeAllListeners("error").on("error", broken);
    this.#sent = (error) => {
      this.#onItsWay -= 1;
      if (this.#onItsWay === 0) this.#idle();
      if (error !== null) broken(error);
    };
  }

  send(message: Buffer): boolean {
    this.#onItsWay += 1;
    this.#socket.send(message, this.#sent);
    return true;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    if (this.#onItsWay > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#socket.close();
  }
}

async function openStream(
  where: { host: string; port: number } | { path: string },
  down: Down,
): Promise<SyslogLink> {
  const { connect } = require("node:net") as typeof import("node:net");
  const socket = connect(where).unref();
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => {
      socket.destroy(new Error(`no connection within ${CONNECT_TIME / 1000}s`));
    }, CONNECT_TIME).unref();
    socket.once("error", reject).once("connect", resolve);
    socket.once("close", () => clearTimeout(late)).once("connect", () => clearTimeout(late));
  });
  return new StreamLink(socket, down);
}

/**
 * Messages on a stream end with a line feed (RFC 6587 section 3.4.2), of which no line has one: every server takes
 * that, whereas not every one takes counted messages.
 */
class StreamLink implements SyslogLink {
  readonly #socket: Socket;
  #closing = false;

  constructor(socket: Socket, down: Down) {
    this.#socket = socket;
    let why: Error | undefined;
    socket.removeAllListeners("error").on("error", (error) => {
      why = error;
    });
    socket.once("close", () => {
      if (!this.#closing) down(why);
    });
    // A server says nothing; only its end of the connection is heard of.
    socket.resume();
    socket.once("end", () => socket.destroy());
  }

  send(message: Buffer): boolean {
    if (this.#socket.writableLength > MOST_ON_ITS_WAY || !this.#socket.writable) return false;
    this.#socket.cork();
    this.#socket.write(message);
    this.#socket.write("\n");
    this.#socket.uncork();
    return true;
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#socket.once("close", () => resolve());
      this.#socket.end(() => this.#socket.destroy());
    });
  }
}

class DatagramLink implements SyslogLink {
  readonly #socket: DatagramSocket;
  readonly #down: Down;
  #open = true;

  constructor(socket: DatagramSocket, down: Down) {
    this.#socket = socket;
    this.#down = down;
  }

  send(message: Buffer): boolean {
    if (!this.#open) return false;
    try {
      return this.#socket.send(message);
    } catch (error) {
      // One that is too long for this receiver will be so the next time.
      if ((error as NodeJS.ErrnoException).code === "EMSGSIZE") return true;
      void this.close();
      this.#down(error as Error);
      return false;
    }
  }

  async close(): Promise<void> {
    if (this.#open) this.#socket.close();
    this.#open = false;
  }
}
