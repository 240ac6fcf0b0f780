/**
 * Connections to a server that takes messages (syslog, statsd): UDP, TCP, and Unix sockets (datagram or stream). None
 * keeps the process alive.
 */
import type { Socket as UdpSocket } from "node:dgram";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import { DatagramSocket } from "../native/datagram-socket.ts";

/** The server's address. A Unix socket without a `type` is tried with datagrams first, then as a stream. */
export type MessageTarget =
  | { readonly transport: "udp" | "tcp"; readonly host: string; readonly port: number }
  | {
      readonly transport: "unix";
      readonly path: string;
      readonly type: "dgram" | "stream" | undefined;
    };

/** An open connection. */
export interface MessageLink {
  /** Sends a message. Returns false if it was not accepted, usually because too much is pending. Never throws. */
  send(message: Buffer): boolean;
  /** Resolves when all messages have left the process, as far as that can be known. */
  close(): Promise<void>;
}

/** Called once when an open connection breaks; without a reason if the server closed it normally. */
export type BreakListener = (why: Error | undefined) => void;

/** Connects; rejects with the reason. */
export async function openLink(target: MessageTarget, onBreak: BreakListener): Promise<MessageLink> {
  if (target.transport === "unix") return openUnix(target.path, target.type, onBreak);
  const { transport, host, port } = target;
  return transport === "udp" ? openUdp(host, port, onBreak) : openStream({ host, port }, onBreak);
}

async function openUnix(
  path: string,
  type: "dgram" | "stream" | undefined,
  onBreak: BreakListener,
): Promise<MessageLink> {
  if (type === "stream") return openStream({ path }, onBreak);
  try {
    return new DatagramLink(new DatagramSocket(path), onBreak);
  } catch (error) {
    const isStream = (error as NodeJS.ErrnoException).code === "EPROTOTYPE";
    if (type === undefined && isStream) return openStream({ path }, onBreak);
    throw error;
  }
}

/** A stream with more unsent bytes than this accepts no more messages. */
const MAX_PENDING_BYTES = 256 * 1024;
const CONNECT_TIMEOUT_MS = 5000;

const require = createRequire(import.meta.url);

/** A connected socket: each datagram goes to the kernel at once, and ICMP refusals are reported. */
async function openUdp(host: string, port: number, onBreak: BreakListener): Promise<MessageLink> {
  const { createSocket } = require("node:dgram") as typeof import("node:dgram");
  const { lookup } = require("node:dns/promises") as typeof import("node:dns/promises");
  // For localhost, which has both, prefer IPv4: receivers usually bind to that.
  const { address, family } = await lookup(host, { verbatim: false });
  const socket = createSocket(family === 6 ? "udp6" : "udp4").unref();
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(port, address, resolve);
  });
  return new UdpLink(socket, onBreak);
}

class UdpLink implements MessageLink {
  readonly #socket: UdpSocket;
  readonly #onSent: (error: Error | null) => void;
  #open = true;
  #pending = 0;
  #onIdle: () => void = () => {};

  constructor(socket: UdpSocket, onBreak: BreakListener) {
    this.#socket = socket;
    const broken = (error: Error): void => {
      if (!this.#open) return;
      this.close().catch(() => {});
      onBreak(error);
    };
    socket.removeAllListeners("error").on("error", broken);
    this.#onSent = (error) => {
      this.#pending -= 1;
      if (this.#pending === 0) this.#onIdle();
      if (error !== null) broken(error);
    };
  }

  send(message: Buffer): boolean {
    this.#pending += 1;
    this.#socket.send(message, this.#onSent);
    return true;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    if (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#socket.close();
  }
}

async function openStream(
  where: { host: string; port: number } | { path: string },
  onBreak: BreakListener,
): Promise<MessageLink> {
  const { connect } = require("node:net") as typeof import("node:net");
  const socket = connect(where).unref();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000}s`));
    }, CONNECT_TIMEOUT_MS).unref();
    socket.once("error", reject).once("connect", resolve);
    socket.once("close", () => clearTimeout(timer)).once("connect", () => clearTimeout(timer));
  });
  return new StreamLink(socket, onBreak);
}

/**
 * Messages on a stream end with a line feed (RFC 6587 section 3.4.2), which no line contains: every server accepts
 * that, but not every server accepts octet counting.
 */
class StreamLink implements MessageLink {
  readonly #socket: Socket;
  #closing = false;

  constructor(socket: Socket, onBreak: BreakListener) {
    this.#socket = socket;
    let why: Error | undefined;
    socket.removeAllListeners("error").on("error", (error) => {
      why = error;
    });
    socket.once("close", () => {
      if (!this.#closing) onBreak(why);
    });
    // Servers send nothing; read only to notice that the connection ended.
    socket.resume();
    socket.once("end", () => socket.destroy());
  }

  send(message: Buffer): boolean {
    if (this.#socket.writableLength > MAX_PENDING_BYTES || !this.#socket.writable) return false;
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

class DatagramLink implements MessageLink {
  readonly #socket: DatagramSocket;
  readonly #onBreak: BreakListener;
  #open = true;

  constructor(socket: DatagramSocket, onBreak: BreakListener) {
    this.#socket = socket;
    this.#onBreak = onBreak;
  }

  send(message: Buffer): boolean {
    if (!this.#open) return false;
    try {
      return this.#socket.send(message);
    } catch (error) {
      // Too long for this receiver: retrying would fail again.
      if ((error as NodeJS.ErrnoException).code === "EMSGSIZE") return true;
      this.#end();
      this.#onBreak(error as Error);
      return false;
    }
  }

  async close(): Promise<void> {
    this.#end();
  }

  #end(): void {
    if (this.#open) this.#socket.close();
    this.#open = false;
  }
}
