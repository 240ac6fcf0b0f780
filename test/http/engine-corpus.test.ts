/**
 * The corpus against the real command: the echo example on a Unix socket responds to each request of each case as expected,
 * refuses invalid ones, and closes when it must, whether the bytes come at once or one by one.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startCommand, temporaryFolder } from "../support/command.ts";
import { RawClient } from "../support/engine.ts";
import { readAnswers, type WireAnswer } from "./answers.ts";
import { type CorpusCase, type ReadRequest, readCorpus } from "./corpus.ts";
import { CORPUS_LIMITS } from "./drive.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const PROBE = "GET /probe HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
/** Connections open at the same time. */
const PARALLEL = 32;
/** Well above the two seconds for which the server lingers after a refusal. */
const DEADLINE = 20_000;

type Sender = (client: RawClient, bytes: Buffer) => Promise<void>;

const SENDERS: Record<string, Sender> = {
  "at once": async (client, bytes) => client.send(bytes),
  "byte by byte": async (client, bytes) => {
    for (const byte of bytes) {
      if (client.ended) return;
      client.send(Uint8Array.of(byte));
      // Give the server a turn to read before the next byte.
      await new Promise(setImmediate);
    }
  },
};

function echoOf(request: ReadRequest): unknown {
  return {
    method: request.method,
    target: request.target,
    version: request.httpVersion,
    headers: request.headers,
    body: Buffer.from(request.body, "latin1").toString("base64"),
    trailers: request.trailers,
  };
}

function answersIn(item: CorpusCase, received: string): { answers: WireAnswer[]; rest: string } {
  return readAnswers(received, (index) => item.requests[index]?.method === "HEAD");
}

/** Checks that all bytes received are responses. */
function allAnswersIn(item: CorpusCase, received: string): WireAnswer[] {
  const { answers, rest } = answersIn(item, received);
  assert.equal(rest, "", "something behind the last answer");
  return answers;
}

async function firstAnswers(item: CorpusCase, client: RawClient): Promise<WireAnswer[]> {
  const count = item.requests.length;
  const enough = (received: string): boolean => answersIn(item, received).answers.length >= count;
  return answersIn(item, await client.until(enough, `${count} answers`, DEADLINE)).answers;
}

function checkEchoes(item: CorpusCase, answers: WireAnswer[]): void {
  for (const [index, request] of item.requests.entries()) {
    const answer = answers[index];
    assert.ok(answer !== undefined, `no answer to request ${index + 1}`);
    assert.equal(answer.status, 200, `the answer to request ${index + 1}: ${answer.body}`);
    if (request.method === "HEAD") continue;
    const echo: unknown = JSON.parse(Buffer.from(answer.body, "latin1").toString("utf8"));
    assert.deepEqual(echo, echoOf(request), `the echo of request ${index + 1}`);
  }
}

/** RFC 9112 section 9.6: only the last response has `Connection: close`. */
function checkPersistence(answers: WireAnswer[]): void {
  assert.deepEqual(
    answers.map((answer) => answer.headers.get("connection") === "close"),
    answers.map((_, index) => index === answers.length - 1),
    "which answers announce the end of the connection",
  );
}

async function checkOpen(item: CorpusCase, client: RawClient): Promise<void> {
  await firstAnswers(item, client);
  assert.equal(client.ended, false, "the connection was closed");
  client.send(PROBE);
  const answers = allAnswersIn(item, await client.rest(DEADLINE));
  checkEchoes(item, answers);
  checkPersistence(answers);
  const [probe, ...more] = answers.slice(item.requests.length);
  assert.equal(JSON.parse(probe?.body ?? "{}").target, "/probe", "the answer to one request more");
  assert.deepEqual(more, [], "answers to nothing");
}

/** @param status of the refusal, if there is one */
async function checkEnd(item: CorpusCase, client: RawClient, status?: number): Promise<void> {
  const answers = allAnswersIn(item, await client.rest(DEADLINE));
  checkEchoes(item, answers);
  checkPersistence(answers);
  const others = answers.slice(item.requests.length).map((answer) => answer.status);
  assert.deepEqual(others, status === undefined ? [] : [status], "what is answered behind the good requests");
}

/** The echo example ignores Upgrade and responds as usual. The bytes after the request are not checked. */
async function checkUpgrade(item: CorpusCase, client: RawClient): Promise<void> {
  const answers = await firstAnswers(item, client);
  checkEchoes(item, answers);
  const others = answers.slice(item.requests.length);
  assert.ok(
    others.every((answer) => answer.status >= 400),
    "a request that is not there",
  );
}

async function checkEnding(item: CorpusCase, client: RawClient): Promise<void> {
  switch (item.ending) {
    case "open":
      return checkOpen(item, client);
    case "upgrade":
      return checkUpgrade(item, client);
    case "closed":
      return checkEnd(item, client);
    case "incomplete":
      client.socket.end();
      return checkEnd(item, client, 400);
    default:
      return checkEnd(item, client, item.ending.refused);
  }
}

async function checkCase(item: CorpusCase, socketPath: string, send: Sender): Promise<void> {
  const client = new RawClient(connect({ path: socketPath, allowHalfOpen: true }));
  try {
    await send(client, item.bytes);
    await checkEnding(item, client);
  } catch (error) {
    const label = `${item.name}: ${item.clause}: ${item.why}`;
    throw new Error(`${label}\n${error}\nReceived: ${JSON.stringify(client.received)}`, { cause: error });
  } finally {
    client.socket.destroy();
  }
}

/** Checks all cases, some at a time, and throws all failures together. */
async function checkAll(socketPath: string, send: Sender): Promise<void> {
  const waiting = readCorpus();
  const errors: Error[] = [];
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      await checkCase(item, socketPath, send).catch((error: Error) => errors.push(error));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, lane));
  const messages = errors.map((error) => error.message).join("\n\n");
  assert.equal(errors.length, 0, `${errors.length} cases went wrong:\n\n${messages}`);
}

async function startEcho(context: TestContext): Promise<string> {
  const socketPath = join(temporaryFolder(context), "echo.sock");
  const app = join(ROOT, "examples", "echo", "app.ts:handler");
  const { requestLine, fieldSize } = CORPUS_LIMITS;
  const limits = [
    "--limit-request-line",
    String(requestLine),
    "--limit-request-field-size",
    String(fieldSize),
  ];
  const command = startCommand(context, [app, "--workers", "1", "--bind", `unix:${socketPath}`, ...limits]);
  await command.ready();
  return socketPath;
}

test("the echo example run by the command responds to the corpus as expected", async (context) => {
  const socketPath = await startEcho(context);
  for (const [manner, send] of Object.entries(SENDERS)) {
    await context.test(manner, async () => checkAll(socketPath, send));
  }
});
