/**
 * The corpus against the real command: the echo example on a Unix socket responds to each request of each case as
 * expected, refuses invalid ones, and closes when it must, whether the bytes come at once or one by one.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startCommand, temporaryFolder } from "../support/command.ts";
import { RawClient } from "../support/engine.ts";
import { connectTo, tlsArguments } from "../support/tls-front.ts";
import { type CorpusCase, type ReadRequest, readCorpus } from "./corpus.ts";
import { CORPUS_LIMITS } from "./drive.ts";
import { readResponses, type WireResponse } from "./responses.ts";

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

function responsesIn(item: CorpusCase, received: string): { responses: WireResponse[]; rest: string } {
  return readResponses(received, (index) => item.requests[index]?.method === "HEAD");
}

/** Checks that all bytes received are responses. */
function allResponsesIn(item: CorpusCase, received: string): WireResponse[] {
  const { responses, rest } = responsesIn(item, received);
  assert.equal(rest, "", "bytes after the last response");
  return responses;
}

async function firstResponses(item: CorpusCase, client: RawClient): Promise<WireResponse[]> {
  const count = item.requests.length;
  const enough = (received: string): boolean => responsesIn(item, received).responses.length >= count;
  return responsesIn(item, await client.until(enough, `${count} responses`, DEADLINE)).responses;
}

function checkEchoes(item: CorpusCase, responses: WireResponse[]): void {
  for (const [index, request] of item.requests.entries()) {
    const response = responses[index];
    assert.ok(response !== undefined, `no response to request ${index + 1}`);
    assert.equal(response.status, 200, `the response to request ${index + 1}: ${response.body}`);
    if (request.method === "HEAD") continue;
    const echo: unknown = JSON.parse(Buffer.from(response.body, "latin1").toString("utf8"));
    assert.deepEqual(echo, echoOf(request), `the echo of request ${index + 1}`);
  }
}

/** RFC 9112 section 9.6: only the last response has `Connection: close`. */
function checkPersistence(responses: WireResponse[]): void {
  assert.deepEqual(
    responses.map((response) => response.headers.get("connection") === "close"),
    responses.map((_, index) => index === responses.length - 1),
    "which responses have Connection: close",
  );
}

async function checkOpen(item: CorpusCase, client: RawClient): Promise<void> {
  await firstResponses(item, client);
  assert.equal(client.ended, false, "the connection was closed");
  client.send(PROBE);
  const responses = allResponsesIn(item, await client.rest(DEADLINE));
  checkEchoes(item, responses);
  checkPersistence(responses);
  const [probe, ...more] = responses.slice(item.requests.length);
  assert.equal(JSON.parse(probe?.body ?? "{}").target, "/probe", "the response to one more request");
  assert.deepEqual(more, [], "responses without a request");
}

/** @param status of the refusal, if there is one */
async function checkEnd(item: CorpusCase, client: RawClient, status?: number): Promise<void> {
  const responses = allResponsesIn(item, await client.rest(DEADLINE));
  checkEchoes(item, responses);
  checkPersistence(responses);
  const others = responses.slice(item.requests.length).map((response) => response.status);
  assert.deepEqual(
    others,
    status === undefined ? [] : [status],
    "the responses after those to valid requests",
  );
}

/** The echo example ignores Upgrade and responds as usual. The bytes after the request are not checked. */
async function checkUpgrade(item: CorpusCase, client: RawClient): Promise<void> {
  const responses = await firstResponses(item, client);
  checkEchoes(item, responses);
  const others = responses.slice(item.requests.length);
  assert.ok(
    others.every((response) => response.status >= 400),
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
  const client = new RawClient(await connectTo({ path: socketPath }, true));
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
  const folder = temporaryFolder(context);
  const socketPath = join(folder, "echo.sock");
  const app = join(ROOT, "examples", "echo", "app.ts:handler");
  const { requestLine, fieldSize } = CORPUS_LIMITS;
  const limits = [
    "--limit-request-line",
    String(requestLine),
    "--limit-request-field-size",
    String(fieldSize),
    ...tlsArguments(folder),
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
