/** Answers the arbiter's questions. */
import type { Answer, Question } from "../ipc/question.ts";
import { send } from "./arbiter-link.ts";
import { requestsInFlight } from "./questions/requests.ts";
import type { Serving } from "./serving.ts";

/** @param serving undefined while the worker boots */
export function answerQuestion(number: number, question: Question, serving: Serving | undefined): void {
  const reply = (answer: Answer): void => send({ type: "answer", number, answer });
  reply({ kind: "received" });
  if (serving === undefined) {
    reply({ kind: "error", error: "it is still booting" });
    return;
  }
  if (question.about === "requests") {
    // At once: who shows requests in flight waits only a moment.
    reply({ kind: "value", value: requestsInFlight(serving.server) });
    return;
  }
  import("./questions/answer.ts")
    .then(({ answerLater }) => answerLater(serving, question))
    .then(
      (value) => reply({ kind: "value", value }),
      (error: Error) => reply({ kind: "error", error: error.message }),
    );
}
