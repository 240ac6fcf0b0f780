/**
 * Journals a worker's requests: a line to the arbiter when a request begins and when it ends. It is on while workers
 * die of something that runs no exit code (a signal, native code, an exhausted heap): then the arbiter has only what
 * was written before. It costs about 5 µs of CPU time per request (Node 20).
 */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { MAX_TARGET_LENGTH, type RequestReport } from "../ipc/request-report.ts";

export class RequestJournal {
  readonly #fd: number;
  /** Makes the pipe non-blocking and keeps it open. */
  readonly #pipe: Socket;
  #count = 0;
  #finished: number[] = [];
  #scheduled = false;
  /** The rest of a line that a full pipe accepted only in part. */
  #rest: Buffer | undefined;

  /** @param fd of the pipe to the arbiter */
  constructor(fd: number) {
    this.#fd = fd;
    this.#pipe = new Socket({ fd, readable: false, writable: true }).unref();
    this.#pipe.on("error", () => {});
  }

  /** Announces the journal: from now on an empty journal means that there is no request. */
  begin(): void {
    this.#send({ kind: "over", numbers: [] });
  }

  end(): void {
    this.#send({ kind: "end" });
  }

  /** Records the begin of a request. Call the returned function when it is over. */
  readonly record = (method: string, target: string): (() => void) => {
    this.#count += 1;
    const number = this.#count;
    const request = { method, target: target.slice(0, MAX_TARGET_LENGTH), since: Date.now() };
    this.#send({ kind: "begun", number, request });
    return () => this.#finish(number);
  };

  /** Requests that end in one turn of the event loop share a line. */
  #finish(number: number): void {
    this.#finished.push(number);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#send({ kind: "over", numbers: this.#finished })) this.#finished = [];
    });
  }

  /** Returns false when the pipe is full or closed. Requests never wait for a stalled arbiter. */
  #send(report: RequestReport): boolean {
    if (!this.#write(this.#rest)) return false;
    return this.#write(Buffer.from(`${JSON.stringify(report)}\n`), true);
  }

  /** @param isNew none of it has been written yet, so it may be dropped */
  #write(bytes: Buffer | undefined, isNew = false): boolean {
    if (bytes === undefined) return true;
    let sent = 0;
    try {
      sent = writeSync(this.#fd, bytes);
    } catch {
      if (isNew) return false;
    }
    this.#rest = sent < bytes.length ? bytes.subarray(sent) : undefined;
    return isNew || this.#rest === undefined;
  }
}
