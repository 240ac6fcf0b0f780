/** Detects clients that read too slowly, on each tick of the server's clock. */
import type { Socket } from "node:net";
import { acceptedBytes } from "../accepted-bytes.ts";
import type { Lateness } from "../content-pace.ts";
import { SendPace } from "../send-pace.ts";

export class WriteProgress {
  readonly #socket: Socket;
  /** Undefined until something has waited to be sent. */
  #pace: SendPace | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Whether the client has read too slowly. Call on every tick. @param body as of `SendTimeouts` */
  isOverdue(now: number, body: number, responseMinRate: number): boolean {
    const socket = this.#socket;
    if (socket.writableLength === 0) {
      this.#pace?.pause(acceptedBytes(socket), now);
      return false;
    }
    const accepted = acceptedBytes(socket);
    this.#pace ??= new SendPace({ body, responseMinRate }, accepted, now);
    return now >= this.#pace.deadline(accepted, now);
  }

  /** Undefined if nothing waits to be sent. */
  lateness(now: number): Lateness | undefined {
    if (this.#socket.writableLength === 0) return undefined;
    return this.#pace?.lateness(acceptedBytes(this.#socket), now);
  }
}
