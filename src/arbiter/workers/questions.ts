/** Questions to workers, and their answers. A worker that is blocked, or gone, answers none: each has its time limits. */
import type { Answer, Question } from "../../ipc/question.ts";

/** Why there is no answer. */
export type Silence = "blocked" | "overdue" | "gone";

export type Answered =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly silence: Silence }
  /** The worker says why, in one line. */
  | { readonly ok: false; readonly error: string };

export interface AnswerLimits {
  /** Time to say that the question has been received, in milliseconds. */
  readonly received: number;
  /** Time for the answer, in milliseconds. */
  readonly answered: number;
}

interface Pending {
  readonly id: number;
  settle(outcome: Answered): void;
  received(): void;
}

export class WorkerQuestions {
  readonly #send: (id: number, number: number, question: Question) => void;
  readonly #pending = new Map<number, Pending>();
  #count = 0;

  /** @param send sends a question to a worker; if there is none, the question is not answered */
  constructor(send: (id: number, number: number, question: Question) => void) {
    this.#send = send;
  }

  /** Asks a worker, by its id. Never rejects. */
  ask(id: number, question: Question, limits: AnswerLimits): Promise<Answered> {
    const number = ++this.#count;
    return new Promise((resolve) => {
      const blocked = setTimeout(() => settle({ ok: false, silence: "blocked" }), limits.received);
      const overdue = setTimeout(() => settle({ ok: false, silence: "overdue" }), limits.answered);
      const settle = (outcome: Answered): void => {
        clearTimeout(blocked);
        clearTimeout(overdue);
        this.#pending.delete(number);
        resolve(outcome);
      };
      this.#pending.set(number, { id, settle, received: () => clearTimeout(blocked) });
      this.#send(id, number, question);
    });
  }

  /** A worker has answered. An answer to what another was asked, or that comes too late, is ignored. */
  handle(id: number, number: number, answer: Answer): void {
    const pending = this.#pending.get(number);
    if (pending === undefined || pending.id !== id) return;
    if (answer.kind === "received") pending.received();
    else if (answer.kind === "value") pending.settle({ ok: true, value: answer.value });
    else pending.settle({ ok: false, error: String(answer.error) });
  }

  /** A worker's process has ended. */
  gone(id: number): void {
    for (const pending of [...this.#pending.values()])
      if (pending.id === id) pending.settle({ ok: false, silence: "gone" });
  }
}
