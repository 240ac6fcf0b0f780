/**
 * Stages that only read the beginning of a connection: what they read, without I/O. A connection that goes through none but
 * these needs no socket (`channel-entrant.ts`); one of TLS goes through them as a socket (`socketStage`).
 */
import type { Socket } from "node:net";
import type { ConnectionFacts } from "./facts.ts";
import { ClientLeft, Refusal } from "./refusal.ts";
import type { Stage } from "./stage.ts";

/** The reading of one connection by one stage. */
export interface Opening {
  /**
   * Reads all bytes that have come, which are valid only during the call. Returns how many of them are the stage's;
   * undefined if there must be more.
   * @throws Refusal to refuse the connection
   */
  read(bytes: Buffer): number | undefined;
  /** The client has ended before that. Returns why the connection is closed. */
  ended(hasSent: boolean): Error;
}

/** The addresses of a connection: those of its socket or channel. */
export interface Addresses {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

export interface OpeningStage {
  /**
   * Begins with a connection. Returns undefined if there is nothing to read.
   * @throws Refusal, ClientLeft
   */
  open(connection: Addresses, facts: ConnectionFacts): Opening | undefined;
}

/** The stage for sockets. What has come behind it is put back. */
export function socketStage(stage: OpeningStage): Stage {
  return async (socket, facts) => {
    try {
      const opening = stage.open(socket, facts);
      if (opening === undefined) return socket;
      await readOpening(socket, opening);
    } catch (error) {
      if (error instanceof Refusal && error.answer !== undefined) socket.write(error.answer);
      throw error;
    }
    // A check of whether the port is open.
    if (socket.readableEnded) throw new ClientLeft();
    return socket;
  };
}

function readOpening(socket: Socket, opening: Opening): Promise<void> {
  return new Promise((resolve, reject) => {
    let held: Buffer | undefined;
    const settle = (settled: () => void): void => {
      socket.off("readable", onReadable).off("end", onEnd).off("close", onClose);
      socket.pause();
      settled();
    };
    const onReadable = (): void => {
      for (let bytes = read(socket); bytes !== null; bytes = read(socket))
        held = held === undefined ? bytes : Buffer.concat([held, bytes]);
      if (held === undefined) return;
      try {
        const used = opening.read(held);
        if (used === undefined) return;
        if (held.length > used) socket.unshift(held.subarray(used));
        settle(resolve);
      } catch (error) {
        settle(() => reject(error));
      }
    };
    const onEnd = (): void => settle(() => reject(opening.ended(held !== undefined)));
    const onClose = (): void => settle(() => reject(new ClientLeft()));
    socket.on("readable", onReadable).on("end", onEnd).on("close", onClose);
    if (socket.destroyed) onClose();
  });
}

function read(socket: Socket): Buffer | null {
  return socket.read() as Buffer | null;
}
