/** One examination of a worker, from the command to its last answer. */
import { HttpError } from "../../errors.ts";
import type { Examination, ExaminationAnswer } from "../../ipc/examination.ts";
import { printable } from "../../ipc/stall-report.ts";
import { processState } from "../../system/process-state.ts";
import type { ExaminationChannel } from "../workers/examination-channel.ts";

/** The worker to examine. */
export interface Subject {
  readonly id: number;
  readonly pid: number;
  readonly slot: number;
  readonly channel: ExaminationChannel;
}

/** An answer that is no failure. */
export type Finding = Exclude<ExaminationAnswer, { readonly failure: string }>;

export class Inquiry {
  readonly #subject: Subject;
  readonly #number: number;
  readonly #gone: AbortSignal;
  readonly #maxWaiting: number;
  readonly #answers: ExaminationAnswer[] = [];
  #waiting = 0;
  #hasEnded = false;
  #isClosed = false;
  #wake: (() => void) | undefined;
  /** Called once, when it is over or nobody waits for it any more. */
  onClose: () => void = () => {};

  /**
   * @param gone aborted when nobody waits any more
   * @param maxWaiting characters that may wait to be read: what more a worker sends, it was not asked for
   */
  constructor(subject: Subject, examination: Examination, gone: AbortSignal, maxWaiting = 1_000_000) {
    this.#subject = subject;
    this.#gone = gone;
    this.#maxWaiting = maxWaiting;
    this.#number = subject.channel.begin(examination, (answer) => this.#receive(answer));
    gone.addEventListener("abort", this.#close);
    if (gone.aborted) this.close();
  }

  #receive(answer: ExaminationAnswer | undefined): void {
    if (answer === undefined) this.#hasEnded = true;
    else if (this.#waiting <= this.#maxWaiting) {
      this.#answers.push(answer);
      this.#waiting += weightOf(answer);
    }
    this.#wake?.();
  }

  /**
   * Waits for the next answer; returns undefined if none comes in time.
   *
   * @throws HttpError with the worker's reason, or because it has ended
   */
  async next(timeoutMs: number): Promise<Finding | undefined> {
    if (!this.#hasNews()) await this.#wait(timeoutMs);
    const { pid } = this.#subject;
    if (this.#waiting > this.#maxWaiting)
      throw new HttpError(503, `worker ${pid} sends what it was not asked for`);
    const answer = this.#answers.shift();
    if (answer === undefined) {
      if (this.#hasEnded) throw new HttpError(503, `worker ${pid} has ended meanwhile: the log says how`);
      if (this.#isClosed) throw new HttpError(503, "nobody waits for the answer");
      return undefined;
    }
    if ("failure" in answer) throw new HttpError(409, `worker ${pid} ${printable(answer.failure)}`);
    this.#waiting -= weightOf(answer);
    return answer;
  }

  /**
   * Like `next`, for an answer that must come.
   * @throws HttpError 503 that says what the worker does instead, as far as the kernel tells
   */
  async expect(timeoutMs: number): Promise<Finding> {
    const finding = await this.next(timeoutMs);
    if (finding === undefined) throw silence(this.#subject.pid, timeoutMs);
    return finding;
  }

  #hasNews(): boolean {
    return this.#answers.length > 0 || this.#hasEnded || this.#isClosed;
  }

  #wait(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Lets the worker send so many more parts. */
  more(parts: number): void {
    this.#subject.channel.more(this.#number, parts);
  }

  /** Ends it, if it has not ended. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#gone.removeEventListener("abort", this.#close);
    this.#subject.channel.cancel(this.#number);
    this.#wake?.();
    this.onClose();
  }

  readonly #close = (): void => this.close();
}

/** Returns the characters that an answer takes while it waits: one that is no part may be as long as a line. */
function weightOf(answer: ExaminationAnswer): number {
  return "part" in answer ? answer.part.length + 100 : 100_000;
}

function silence(pid: number, timeoutMs: number): HttpError {
  const seconds = timeoutMs / 1000;
  switch (processState(pid)) {
    case "stopped":
      return stopped(pid);
    case "gone":
    case "zombie":
      return new HttpError(503, `worker ${pid} has ended: the log says how`);
    case "uninterruptible":
      return new HttpError(
        503,
        `worker ${pid} has not answered in ${seconds}s: it waits for the kernel (a disk, swap)`,
      );
    default:
      return new HttpError(
        503,
        `worker ${pid} has not answered in ${seconds}s: it gets no CPU time, or its watchdog thread does not run (the log says so)`,
      );
  }
}

/** The refusal to examine a worker that is stopped. */
export function stopped(pid: number): HttpError {
  return new HttpError(
    503,
    `worker ${pid} is stopped (SIGSTOP, or a debugger): continue it with kill -CONT ${pid}`,
  );
}
