/** Sends one request to one worker, for `POST /inject`. */
import type { InjectRequest } from "../../control/inspection.ts";
import type { InjectReport } from "../../control/stats.ts";
import { HttpError } from "../../errors.ts";
import type { InjectedResponse } from "../../ipc/question.ts";
import type { Pool } from "../pool/pool.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import type { Silence, WorkerQuestions } from "../workers/questions.ts";
import { readResponse } from "./answers.ts";

/** A worker whose event loop turns says at once that it has the request. */
const RECEIVED_MS = 1000;
/** Beyond the time of the response: the worker says itself that there was none. */
const ANSWER_ALLOWANCE_MS = 1000;

export interface InjectParts {
  readonly pool: Pool;
  readonly questions: WorkerQuestions;
  pidOf(id: number): number | undefined;
}

/**
 * Returns the response of the worker.
 * @throws HttpError: 404 for no such worker, 409 if it does not serve, 503 if it does not answer
 */
export async function injectInto(parts: InjectParts, request: InjectRequest): Promise<InjectReport> {
  const worker = choose(parts, request);
  const pid = parts.pidOf(worker.id) ?? 0;
  const { method, target, headers, body, timeout } = request;
  const answered = await parts.questions.ask(
    worker.id,
    { about: "inject", request: { method, target, headers, body: body.toString("base64"), timeout } },
    { received: RECEIVED_MS, answered: timeout + ANSWER_ALLOWANCE_MS },
  );
  if (!answered.ok) {
    const why = "silence" in answered ? silent(answered.silence, timeout) : `: ${answered.error}`;
    throw new HttpError(503, `worker ${pid}${why}`);
  }
  const response = readResponse(answered.value);
  if (response === undefined) throw new HttpError(503, `worker ${pid} answered with what is no response`);
  return reportOf(pid, worker.slot, response);
}

function choose({ pool, pidOf }: InjectParts, { slot, pid }: InjectRequest): WorkerRecord {
  const named = pool.roster.filter(
    (worker) =>
      (slot === undefined || worker.slot === slot) && (pid === undefined || pidOf(worker.id) === pid),
  );
  const ready = named.filter(({ state }) => state === "ready");
  // The newest of its slot: during a reload there are two.
  const [chosen] = ready.sort((one, other) => one.slot - other.slot || other.generation - one.generation);
  if (chosen !== undefined) return chosen;
  const what = [
    ...(slot === undefined ? [] : [`in slot ${slot}`]),
    ...(pid === undefined ? [] : [`with pid ${pid}`]),
  ].join(" ");
  const [worker] = named;
  if (worker === undefined) throw new HttpError(404, `there is no worker ${what}`.trimEnd());
  throw new HttpError(409, `the worker ${what} is ${worker.state}, not ready`.replace("  ", " "));
}

function silent(silence: Silence, timeout: number): string {
  switch (silence) {
    case "blocked":
      return ` has not taken the request within ${RECEIVED_MS / 1000} s: its event loop is blocked, or its process is stopped`;
    case "overdue":
      return ` has taken the request, and has not responded within ${timeout / 1000} s`;
    case "gone":
      return " ended before it responded";
  }
}

function reportOf(pid: number, slot: number, response: InjectedResponse): InjectReport {
  const { status, headers, bytes, duration } = response;
  const content = Buffer.from(response.body, "base64");
  const isCut = content.length < bytes;
  const text = textOf(content, isCut);
  return {
    pid,
    slot,
    status,
    headers,
    body: text ?? response.body,
    encoding: text === undefined ? "base64" : "utf8",
    bytes,
    isCut,
    duration,
  };
}

/** The content as text; undefined if it is none. A cut may have hit the middle of a character. */
function textOf(content: Buffer, isCut: boolean): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content, { stream: isCut });
  } catch {
    return undefined;
  }
}
