/** Parts that several sections of the suite use. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import type { Handler, HeadersInput, RequestBody, ResponseBody } from "../../gateway/types.ts";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";

export async function pieces(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) {
    assert.ok(chunk instanceof Uint8Array);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export const READINGS: { readonly [name: string]: (body: RequestBody) => Promise<string> } = {
  iterable: async (body) => (await pieces(body)).toString(),
  bytes: async (body) => Buffer.from(await body.bytes()).toString(),
  text: (body) => body.text(),
  json: async (body) => JSON.stringify(await body.json()),
  stream: async (body) => {
    const stream = body.stream();
    assert.ok(stream instanceof Readable);
    return (await pieces(stream)).toString();
  },
  web: async (body) => (await pieces(body.web())).toString(),
};

export const readIn: () => Handler = () => async (request, respond) => {
  const read = READINGS[request.path.slice(1)] as (body: RequestBody) => Promise<string>;
  respond(200, null, await read(request.body));
};

export const describeError = (error: unknown): string => {
  const { name, status } = error as { name: string; status?: number };
  return status === undefined ? name : `${name} ${status}`;
};

export const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

export const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** The options of Connection, sorted: their order and case are the server's. */
export const connectionOptions = (raw: readonly string[]): string[] =>
  values(raw, "connection")
    .flatMap((value) => value.toLowerCase().split(","))
    .map((option) => option.trim())
    .sort();

export async function nameOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "done",
    (error: Error) => error.name,
  );
}

export function refused(
  clauses: string[],
  title: string,
  attempt: (...args: Parameters<Handler>) => unknown,
): Case {
  return {
    clauses,
    title,
    app: (stage) => (request, respond) => {
      try {
        attempt(request, respond);
        stage.note("taken");
      } catch (error) {
        stage.note((error as Error).name);
      }
      stage.note(respond.sent);
      if (!respond.sent) respond(200, { "x-answered": "after" }, "still answered");
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual(stage.notes, ["GatewayError", false]);
      assert.equal(answer.content.toString(), "still answered");
      assert.deepEqual(values(answer.rawHeaders, "x-answered"), ["after"]);
      assert.deepEqual(values(answer.rawHeaders, "injected"), []);
    },
  };
}

export const respondWith =
  (status: number, headers: HeadersInput | null, body: ResponseBody): (() => Handler) =>
  () =>
  (_request, respond) =>
    respond(status, headers, body);

export async function* generate(): AsyncGenerator<string | Uint8Array> {
  yield "gr\u00fc";
  yield Buffer.from("\u00dfe");
}
