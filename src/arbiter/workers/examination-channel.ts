/** The arbiter's side of the examinations of one worker: numbers them, and hands each answer to who asked. */
import type { Examination, ExaminationAnswer, WatchdogCommand } from "../../ipc/examination.ts";

/** Receives the answers to one examination; undefined if the worker has ended. */
export type ExaminationListener = (answer: ExaminationAnswer | undefined) => void;

let count = 0;

export class ExaminationChannel {
  readonly #write: (line: string) => void;
  readonly #listeners = new Map<number, ExaminationListener>();

  /** @param write sends a line to the watchdog thread */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** Begins an examination; returns its number. */
  begin(examination: Examination, listener: ExaminationListener): number {
    count += 1;
    this.#listeners.set(count, listener);
    this.#send({ number: count, ...examination });
    return count;
  }

  /** Lets the worker send so many more parts. */
  more(number: number, parts: number): void {
    if (this.#listeners.has(number)) this.#send({ number, kind: "more", parts });
  }

  /** Ends an examination for which nobody waits any more. */
  cancel(number: number): void {
    if (this.#listeners.delete(number)) this.#send({ number, kind: "cancel" });
  }

  /** An answer that nobody waits for any more is dropped. */
  handle(answer: ExaminationAnswer): void {
    const { number } = answer;
    const listener = this.#listeners.get(number);
    if ("failure" in answer || ("isFinal" in answer && answer.isFinal)) this.#listeners.delete(number);
    listener?.(answer);
  }

  /** The worker has ended. */
  close(): void {
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of listeners) listener(undefined);
  }

  #send(command: WatchdogCommand): void {
    this.#write(`${JSON.stringify(command)}\n`);
  }
}
