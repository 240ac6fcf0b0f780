/**
 * A client of TLS whose records are cut anywhere: each write is a record, and what a record is in bytes comes in pieces
 * that the seed of the case draws, the handshake too. Every second connection resumes the session of an earlier one.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { Random } from "../../support/random.ts";
import { trusted } from "../../support/tls-front.ts";
import { cut } from "../drive.ts";
import { randomPlaces } from "./engine-check.ts";

/** Writes to a socket in pieces, each in a turn of its own. */
class CutStream extends Duplex {
  readonly #socket: Socket;
  readonly #random: Random;

  constructor(socket: Socket, random: Random) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#random = random;
    socket.on("data", (bytes: Buffer) => {
      if (!this.push(bytes)) socket.pause();
    });
    socket.on("end", () => this.push(null));
    socket.on("error", () => {});
    socket.on("close", () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    void this.#send(cut(bytes, randomPlaces(bytes.length, this.#random))).then(() => done());
  }

  async #send(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      if (this.#socket.destroyed) return;
      this.#socket.write(piece);
      await new Promise(setImmediate);
    }
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

export class TlsClients {
  readonly #port: number;
  #session: Buffer | undefined;
  #count = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** @param random undefined: the bytes of records are not cut */
  async connect(random: Random | undefined): Promise<Socket> {
    const raw = connect({ port: this.#port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    await once(raw, "connect");
    this.#count += 1;
    const socket = connectTls({
      ...trusted(),
      socket: random === undefined ? raw : new CutStream(raw, random),
      servername: "localhost",
      ALPNProtocols: ["http/1.1"],
      allowHalfOpen: true,
      ...(this.#count % 2 === 0 && this.#session !== undefined && { session: this.#session }),
    } as object);
    socket.on("session", (session: Buffer) => {
      this.#session = session;
    });
    socket.on("close", () => raw.destroy());
    await once(socket, "secureConnect");
    return socket;
  }
}
