/** A connection that goes through a front as a socket. */
import type { Socket } from "node:net";
import type { Entrant, EntrantHost, PassOn } from "./entrant.ts";
import { type ConnectionFacts, rememberFacts } from "./facts.ts";
import type { Stage } from "./stage.ts";

export class SocketEntrant implements Entrant {
  place = -1;
  readonly #cameAt = performance.now();
  readonly #socket: Socket;
  readonly #facts: ConnectionFacts;
  readonly #host: EntrantHost;
  #isRefused = false;

  constructor(socket: Socket, isUnix: boolean, host: EntrantHost) {
    this.#socket = socket;
    this.#facts = { isUnix };
    this.#host = host;
  }

  get since(): number {
    return this.#facts.waitsSince ?? this.#cameAt;
  }

  get isIdle(): boolean {
    return this.#facts.isIdle === true;
  }

  get hasSent(): boolean {
    return this.#socket.bytesRead > 0;
  }

  run(stages: readonly Stage[], passOn: PassOn): void {
    const socket = this.#socket;
    const closed = (): void => this.#host.onClosed(this);
    // A client's reset is no more than its end.
    socket.on("error", () => {});
    socket.once("close", closed);
    const facts = this.#facts;
    passStages(socket, facts, stages)
      .then((last) => {
        if (this.#isRefused || socket.destroyed || last.destroyed) return;
        rememberFacts(last, facts);
        socket.off("close", closed);
        this.#host.onPassed(this, () => passOn(last, facts));
      })
      .catch((error: Error) => this.refuse(error));
  }

  refuse(error: Error): void {
    this.#socket.destroySoon();
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#host.onRefused(error, this.#facts);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

async function passStages(
  accepted: Socket,
  facts: ConnectionFacts,
  stages: readonly Stage[],
): Promise<Socket> {
  let socket = accepted;
  for (const stage of stages) socket = await stage(socket, facts);
  return socket;
}
