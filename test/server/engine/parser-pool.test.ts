/** Connections share parsers: none gets what another one has sent. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Handler } from "../../../src/gateway/types.ts";
import type { RequestParserEvents } from "../../../src/http/request-parser.ts";
import { ParserPool } from "../../../src/server/engine/parser-pool.ts";
import { DEFAULT_LIMITS } from "../../../src/server/server-options.ts";
import { type Engine, startEngine } from "../../support/engine.ts";
import { Random } from "../../support/random.ts";

const echo: Handler = async (request, respond) => {
  const body = await request.body.text();
  respond(200, {}, `${request.method} ${request.target} ${body} ${request.trailers["x-t"] ?? "-"};`);
};

/** A message in one of the forms that a parser can be left by, and what is answered. */
function message(random: Random, name: string): { bytes: string; answer: string } {
  const content = name.repeat(1 + random.below(40));
  switch (random.below(4)) {
    case 0:
      return { bytes: `GET /${name} HTTP/1.1\r\nHost: ${name}\r\n\r\n`, answer: `GET /${name}  -;` };
    case 1:
      return {
        bytes: `\r\nPUT /${name} HTTP/1.1\r\nHost: a\r\nContent-Length: ${content.length}\r\n\r\n${content}`,
        answer: `PUT /${name} ${content} -;`,
      };
    case 2:
      return {
        bytes: `POST /${name} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${content.length.toString(16)};a=b\r\n${content}\r\n0\r\nX-T: ${name}\r\n\r\n`,
        answer: `POST /${name} ${content} ${name};`,
      };
    default:
      return {
        bytes: `DELETE /${name} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`,
        answer: `DELETE /${name}  -;`,
      };
  }
}

async function converse(engine: Engine, client: number): Promise<void> {
  const random = new Random(client);
  const raw = await engine.connect();
  const messages = Array.from({ length: 12 }, (_, index) => message(random, `c${client}m${index}x`));
  const fails = client % 5 === 0;
  const bytes = messages.map((one) => one.bytes).join("") + (fails ? "GET /\0 HTTP/1.1\r\n\r\n" : "");
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(90);
    raw.send(bytes.slice(at, at + size));
    at += size;
    if (random.below(3) === 0) await delay(random.below(3));
  }
  const last = fails ? " 400 " : (messages.at(-1)?.answer as string);
  const received = await raw.until((text) => text.includes(last), last);
  raw.socket.destroy();
  const answers = [...received.matchAll(/\r\n\r\n([^;]*;)/g)].map(([, answer]) => answer);
  assert.deepEqual(
    answers,
    messages.map((one) => one.answer),
  );
}

test("connections whose messages arrive in pieces, in turns, get the answers to their own", async (context) => {
  const engine = await startEngine(context, echo);
  await Promise.all(Array.from({ length: 60 }, (_, client) => converse(engine, client)));
});

describe("the pool", () => {
  const events = (heads: string[]): RequestParserEvents => ({
    onHead: ({ target }) => void heads.push(target),
    onBody: () => {},
    onEnd: () => {},
  });
  const bytes = (target: string): Buffer => Buffer.from(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);

  test("lends a parser again, and to one connection at a time", () => {
    const pool = new ParserPool(DEFAULT_LIMITS);
    const heads: string[][] = [[], [], []];
    const [first, second] = [
      pool.take(events(heads[0] as string[])),
      pool.take(events(heads[1] as string[])),
    ];
    assert.notEqual(first, second);
    second.execute(bytes("/second"));
    pool.give(second);
    assert.equal(second.events, undefined);
    const third = pool.take(events(heads[2] as string[]));
    assert.equal(third, second);
    first.execute(bytes("/first"));
    third.execute(bytes("/third"));
    assert.deepEqual(heads, [["/first"], ["/second"], ["/third"]]);
  });

  test("keeps a bounded number of them", () => {
    const pool = new ParserPool(DEFAULT_LIMITS);
    const all = Array.from({ length: 1000 }, () => pool.take(events([])));
    for (const parser of all) {
      parser.execute(bytes("/"));
      pool.give(parser);
    }
    const again = new Set(Array.from({ length: 1000 }, () => pool.take(events([]))));
    const kept = all.filter((parser) => again.has(parser)).length;
    assert.ok(kept > 0 && kept <= 100, `${kept} were kept`);
  });
});
