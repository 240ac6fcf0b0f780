/**
 * Running servers against the reference reader. An app must see exactly the requests that are there, and a client get one
 * response to each, in their order: RFC 9112 section 9.3.2.
 *
 * Node's parser accepts more in the ways of `Lenience`, and less in those of `STRICTER`. Each is a row of docs/http.md.
 */
import assert from "node:assert/strict";
import { METHODS } from "node:http";
import type { Random } from "../../support/random.ts";
import type { Reading, ReadRequest } from "../corpus.ts";
import { CORPUS_LIMITS, cut } from "../drive.ts";
import { type Lenience, readByReference, STRICT } from "../reference.ts";
import { readResponses } from "../responses.ts";
import { endingOf, randomPlaces } from "./engine-check.ts";
import { answerTo, type Outcome, type SeenRequest, type SocketLane } from "./socket-lane.ts";

function asSeen({ method, target, httpVersion, headers, body, trailers }: ReadRequest): SeenRequest {
  return { method, target, httpVersion, headers, body, trailers };
}

/** @param head whether the request is HEAD that was refused before the app saw it */
function responsesOf({ begun, received }: Outcome, head: boolean): ReturnType<typeof readResponses> {
  return readResponses(received, (index) => (begun[index]?.method ?? (head ? "HEAD" : "")) === "HEAD");
}

/** The statuses of the final responses, each checked to be the answer to the request at its place. */
function statusesOf(outcome: Outcome): number[] {
  const { seen } = outcome;
  const asRefused = responsesOf(outcome, false);
  const { responses, rest } = asRefused.rest === "" ? asRefused : responsesOf(outcome, true);
  // Where the head was not understood, a refusal has content even if the method was HEAD. The connection ends behind it.
  assert.match(rest, /^(?:[45]\d\d [A-Z][A-Za-z -]+\n)?$/, "bytes behind the last response");
  for (const [index, request] of seen.entries()) {
    const response = responses[index];
    assert.ok(response !== undefined, `a response is missing: ${index + 1}`);
    assert.equal(response.status, 200, `a request that the app saw was refused: ${index + 1}`);
    if (request.method !== "HEAD")
      assert.equal(response.body, answerTo(request), `a response is another request's: ${index + 1}`);
  }
  return responses.map(({ status }) => status);
}

/**
 * Sends the bytes at once or in pieces. What comes behind a last request has to come with it: a client that sends more
 * later, although it has asked for the end, may find the connection reset before it has read the response.
 */
async function ask(lane: SocketLane, text: string, mayClose: boolean, random: Random): Promise<Outcome> {
  const bytes = Buffer.from(text, "latin1");
  const places = mayClose || random.below(2) === 0 ? [] : randomPlaces(bytes.length, random);
  return await lane.ask(cut(bytes, places), places.length > 0 ? random : undefined);
}

const DECLINING: Lenience = { ...STRICT, declinesUpgrades: true };

/** Checks the engine behind its connection: the app and the client see what is there. */
export async function checkGateway(lane: SocketLane, text: string, random: Random): Promise<string> {
  const reading = readByReference(Buffer.from(text, "latin1"), CORPUS_LIMITS, DECLINING);
  const outcome = await ask(lane, text, reading.ending === "closed", random);
  assert.deepEqual(outcome.seen, reading.requests.map(asSeen), "the app saw other requests than are there");
  const more = statusesOf(outcome).slice(outcome.seen.length);
  const refused = typeof reading.ending === "object" || reading.ending === "incomplete";
  assert.equal(more.length, refused ? 1 : 0, `responses to what is no request: ${more}`);
  assert.ok(
    more.every((status) => status >= 400 && status < 600),
    `a response to what is no request: ${more}`,
  );
  return endingOf(reading);
}

/** As node's parser reads. */
export const LENIENT: Lenience = {
  lineEndsBefore: true,
  spacesAroundTarget: true,
  anyExtension: true,
  zeros: true,
  anyTrailer: true,
  proxyConnection: true,
  tabHidesClose: true,
  keepAliveWins: true,
  declinesUpgrades: true,
};

/** Why node's parser refuses a connection, or ends it, that the reference reads on. The first that fits counts. */
const STRICTER: readonly (readonly [name: string, fits: (text: string, missing: ReadRequest) => boolean])[] =
  [
    ["unknown method", (_text, { method }) => !METHODS.includes(method)],
    ["CONNECT", (_text, { method }) => method === "CONNECT"],
    ["tab in Transfer-Encoding", (text) => /^transfer-encoding:[^\r\n]*\S[^\r\n]*\t/im.test(text)],
    ["tab in Content-Length", (text) => /^content-length:[^\r\n]*\S[^\r\n]*\t/im.test(text)],
    ["tab in Connection", (text) => /^connection:[^\r\n]*\S[^\r\n]*\t/im.test(text)],
    [
      "white space in a chunk extension",
      (text) => /^[\da-f]+(?:[ \t]+;|;[^\r\n"]*[ \t]|;[^\r\n]*"[^"\r\n]*\t)/im.test(text),
    ],
    ["Proxy-Connection", (text) => /^proxy-connection:/im.test(text)],
    ["bytes behind an upgrade", (text) => /^upgrade:/im.test(text)],
  ];

function isPrefix(seen: readonly SeenRequest[], requests: readonly ReadRequest[]): boolean {
  return seen.length <= requests.length && seen.every((one, at) => same(one, requests[at] as ReadRequest));
}

function same(one: SeenRequest, request: ReadRequest): boolean {
  try {
    assert.deepEqual(one, asSeen(request));
    return true;
  } catch {
    return false;
  }
}

/** Whether the client knows from the last response that nothing behind its request was read. */
function endsWithClose(outcome: Outcome): boolean {
  return responsesOf(outcome, false).responses.at(-1)?.headers.get("connection") === "close";
}

/** The ways in which another reader has to be more lenient to find these requests; undefined if that is not enough. */
function lenienceFor(bytes: Buffer, seen: readonly SeenRequest[]): string[] | undefined {
  const read = (lenience: Lenience): Reading => readByReference(bytes, CORPUS_LIMITS, lenience);
  if (isPrefix(seen, read(STRICT).requests)) return [];
  if (!isPrefix(seen, read(LENIENT).requests)) return undefined;
  const needed = (Object.keys(LENIENT) as (keyof Lenience)[]).filter(
    (way) => !isPrefix(seen, read({ ...LENIENT, [way]: false }).requests),
  );
  return needed.length > 0 ? needed : ["several"];
}

/** Checks node's server: the app sees the requests that are there, or fewer, or more by a way that is listed. */
export async function checkNode(lane: SocketLane, text: string, random: Random): Promise<string> {
  const bytes = Buffer.from(text, "latin1");
  const strict = readByReference(bytes, CORPUS_LIMITS);
  // By its own reading of this field.
  const mayClose = strict.ending === "closed" || /^(?:proxy-)?connection:/im.test(text);
  const outcome = await ask(lane, text, mayClose, random);
  const lenience = lenienceFor(bytes, outcome.seen);
  assert.ok(lenience !== undefined, `the app saw other requests: ${JSON.stringify(outcome.seen)}`);
  if (lenience.length > 0) return lenience.join("+");
  const more = statusesOf(outcome).slice(outcome.seen.length);
  const missing = strict.requests[outcome.seen.length];
  if (missing === undefined) return endingOf(strict);
  const said = (more.length === 1 && (more[0] as number) >= 400) || endsWithClose(outcome);
  assert.ok(said, `a request was lost without a refusal: ${more}`);
  const reason = STRICTER.find(([, fits]) => fits(text, missing));
  assert.ok(reason !== undefined, `refused for no known reason: ${more} to ${JSON.stringify(missing)}`);
  return `stricter: ${reason[0]}`;
}
