/** A running server of HTTP/2 against the reference reader: the app and the client get what is due, and nothing else. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Random } from "../../../support/random.ts";
import { cut } from "../../drive.ts";
import { randomPlaces } from "../engine-check.ts";
import { answerTo, type SeenRequest } from "../socket-lane.ts";
import { type H2Lane, type H2Outcome, LIMITS } from "./lane.ts";
import { readFrames } from "./reference.ts";
import type { StreamAnswer } from "./responses.ts";
import { MALFORMED } from "./rules.ts";
import { ErrorCode, type StreamVerdict, type Verdict } from "./verdict.ts";

/** Sends the bytes behind the preface and checks what becomes of them. Returns how the session ended, in words. */
export async function checkH2(lane: H2Lane, bytes: Buffer, random: Random): Promise<string> {
  const verdict = readFrames(bytes, LIMITS);
  const places = random.below(2) === 0 ? [] : randomPlaces(bytes.length, random);
  const outcome = await lane.ask(cut(bytes, places), verdict);
  try {
    checkSession(outcome, verdict);
    checkSeen(outcome, verdict);
    for (const [id, answer] of outcome.answers.streams) checkStream(id, answer, verdict, outcome.seen);
    if (!outcome.ended) checkDue(outcome, verdict);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${describe(outcome, verdict)}`, { cause: error });
  }
  return ending(outcome, verdict);
}

function checkSession({ answers, ended }: H2Outcome, { ends, mayEnd }: Verdict): void {
  const allowed = ends === undefined ? mayEnd : new Set([...ends, ...mayEnd]);
  assert.ok(ends === undefined || ended, "the session did not end");
  assert.ok(!ended || allowed.size > 0, `the session ended: ${answers.goaway}`);
  if (ended && answers.goaway !== undefined)
    assert.ok(allowed.has(answers.goaway), `the session ended with ${answers.goaway}`);
  assert.ok(!ended || answers.goaway !== undefined || mayEnd.size > 0, "the session ended without a GOAWAY");
}

/** Each request that the app has seen is that of one stream. */
function checkSeen({ seen }: H2Outcome, { streams }: Verdict): void {
  const left = [...streams.values()].flatMap(({ request }) => request ?? []);
  for (const request of seen) {
    const at = left.findIndex((one) => isDeepStrictEqual(one, request));
    assert.ok(at !== -1, `the app saw a request that is not there: ${JSON.stringify(request)}`);
    left.splice(at, 1);
  }
}

function checkStream(id: number, answer: StreamAnswer, verdict: Verdict, seen: readonly SeenRequest[]): void {
  const due = verdict.streams.get(id);
  const { status, reset } = answer;
  assert.ok(due !== undefined, `an answer on stream ${id}, which the client has not opened`);
  const { request, statuses, resets } = due;
  const isFree = due.isFree || (due.mayBeRefused && isMalformed(answer));
  if (status === 200) {
    assert.ok(request !== undefined, `a response on stream ${id}, which has no request`);
    if (answer.ended && request.method !== "HEAD") {
      assert.equal(answer.body, answerTo(request), `stream ${id} has the response of another one`);
      assert.ok(
        seen.some((one) => isDeepStrictEqual(one, request)),
        "a response to a request that the app has not seen",
      );
    }
  } else if (status !== undefined)
    assert.ok(isFree || statuses.has(status), `stream ${id} was refused with ${status}`);
  // Content that nobody reads is stopped behind the response.
  const isStopped = reset === ErrorCode.none && answer.ended;
  const isReset = reset !== undefined && !isStopped;
  assert.ok(
    !isReset || isFree || verdict.ends !== undefined || resets.has(reset),
    `stream ${id} was reset with ${reset}`,
  );
  assert.ok(
    answer.interim.every((code) => code === 100),
    `stream ${id} has interim responses ${answer.interim}`,
  );
}

function checkDue({ answers, seen }: H2Outcome, { streams }: Verdict): void {
  for (const [id, verdict] of streams) {
    if (!verdict.isDue) continue;
    const answer = answers.streams.get(id);
    assert.ok(answer !== undefined, `stream ${id} has no answer`);
    if (verdict.mayBeRefused && isMalformed(answer)) continue;
    if (verdict.request !== undefined && isAccepted(verdict)) {
      assert.equal(answer.status, 200, `the request of stream ${id} was refused`);
      assert.ok(
        seen.some((one) => isDeepStrictEqual(one, verdict.request)),
        `the app did not see stream ${id}`,
      );
    } else assert.notEqual(answer.status, 200, `stream ${id} was not refused`);
  }
}

function isMalformed({ status, reset }: StreamAnswer): boolean {
  return status === MALFORMED || (status === undefined && reset === ErrorCode.protocol);
}

function isAccepted({ statuses, resets }: StreamVerdict): boolean {
  return statuses.size === 0 && resets.size === 0;
}

function ending({ ended, answers, seen }: H2Outcome, { ends, lenience, streams }: Verdict): string {
  if (ended) return `${ends === undefined ? "may end" : "ends"} ${answers.goaway}`;
  if (lenience.size > 0) return [...lenience].join("+");
  const refused = [...streams.values()].some((verdict) => verdict.isDue && !isAccepted(verdict));
  return refused ? "refusals" : seen.length === streams.size ? "all served" : "served";
}

function describe({ answers, seen, ended }: H2Outcome, { streams, ends, mayEnd }: Verdict): string {
  const due = [...streams].map(([id, { request, isDue, isFree, statuses, resets }]) => ({
    id,
    request,
    isDue,
    isFree,
    statuses: [...statuses],
    resets: [...resets],
  }));
  const got = { ended, goaway: answers.goaway, streams: [...answers.streams], seen };
  return `due ${JSON.stringify({ ends, mayEnd: [...mayEnd], due })}\ngot ${JSON.stringify(got)}`;
}
