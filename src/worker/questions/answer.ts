/** Answers the arbiter's questions. Loaded at the first one: most workers are asked none. */
import type { InFlight, Question } from "../../ipc/question.ts";
import { type InjectTarget, inject } from "./inject.ts";

/** More requests in flight than that would make a message that blocks this worker. */
const MAX_REQUESTS = 1000;
/** Longer targets are cut. */
const MAX_TARGET = 2000;

/** @throws Error with one line, if the question cannot be answered */
export async function answer(question: Question, target: InjectTarget): Promise<unknown> {
  if (question.about === "inject") return await inject(target, question.request);
  return requestsOf(target);
}

function requestsOf({ server }: InjectTarget): InFlight[] {
  return server
    .inFlight()
    .slice(0, MAX_REQUESTS)
    .map(({ method, target, id, age, remote, bytesReceived, bytesSent, record }) => ({
      method,
      target: target.slice(0, MAX_TARGET),
      id,
      age: Math.round(age),
      remote: remote ?? record?.remote ?? "",
      bytesReceived: bytesReceived ?? null,
      bytesSent: bytesSent ?? record?.bytes ?? null,
    }));
}
