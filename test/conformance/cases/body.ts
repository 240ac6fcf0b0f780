/** Sections 5 and 10: the content of a request, and its trailers. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import type { GatewayRequest, Handler, RequestBody } from "../../../src/gateway/types.ts";
import type { Case, Stage } from "../stage.ts";
import { requestBytes } from "../wire-client.ts";

async function pieces(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) {
    assert.ok(chunk instanceof Uint8Array);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Every way to read a whole body, as text. */
const READINGS: { readonly [name: string]: (body: RequestBody) => Promise<string> } = {
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

/** Reads in the way that the path names, and responds with the content. */
const readIn: () => Handler = () => async (request, respond) => {
  const read = READINGS[request.path.slice(1)] as (body: RequestBody) => Promise<string>;
  respond(200, null, await read(request.body));
};

const describeError = (error: unknown): string => {
  const { name, status } = error as { name: string; status?: number };
  return status === undefined ? name : `${name} ${status}`;
};

/** Reads in the way that the path names, and notes the result. */
const noteReading =
  (stage: Stage): Handler =>
  async (request, respond) => {
    const read = READINGS[request.path.slice(1)] as (body: RequestBody) => Promise<string>;
    stage.note(await read(request.body).catch(describeError));
    respond(200, null, "noted");
  };

const JSON_TEXT = '{"text":"gr\u00fc\u00dfe","n":1}';

const contentCases: readonly Case[] = [
  ...Object.keys(READINGS).flatMap((name): Case[] => [
    {
      clauses: ["5.1.1", "5.1.4"],
      title: `${name} reads content of known length`,
      app: readIn,
      async run(stage) {
        const answer = await stage.exchange({ method: "POST", target: `/${name}`, content: JSON_TEXT });
        assert.equal(answer.content.toString(), JSON_TEXT);
      },
    },
    {
      clauses: ["5.1.1", "5.1.4"],
      title: `${name} reads chunked content`,
      app: readIn,
      async run(stage) {
        const content = [JSON_TEXT.slice(0, 5), JSON_TEXT.slice(5, 6), JSON_TEXT.slice(6)];
        const answer = await stage.exchange({ method: "POST", target: `/${name}`, content });
        assert.equal(answer.content.toString(), JSON_TEXT);
      },
    },
    {
      clauses: ["5.1.3"],
      title: `${name} fails if the content ends early`,
      wire: true,
      app: noteReading,
      async run(stage) {
        const client = await stage.open();
        client.send(`POST /${name} HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{"n":1}`);
        client.socket.end();
        await stage.until(() => stage.notes.length > 0, "the reading");
        assert.deepEqual(stage.notes, ["BodyError 400"]);
      },
    },
    {
      clauses: ["5.1.3"],
      title: `${name} fails if a chunk is malformed`,
      wire: true,
      app: noteReading,
      async run(stage) {
        const client = await stage.open();
        client.send(
          `POST /${name} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{"n":1}\r\nzz\r\n`,
        );
        await stage.until(() => stage.notes.length > 0, "the reading");
        assert.deepEqual(stage.notes, ["BodyError 400"]);
      },
    },
  ]),
  {
    clauses: ["5.1.2"],
    title: "the length is the declared one, 0 without content, and undefined if chunked",
    app: () => (request, respond) => respond(200, null, String(request.body.length)),
    async run(stage) {
      const lengths: string[] = [];
      for (const content of [undefined, "", "12345", ["12", "345"]]) {
        const method = content === undefined ? "GET" : "POST";
        const answer = await stage.exchange({ method, ...(content !== undefined && { content }) });
        lengths.push(answer.content.toString());
      }
      assert.deepEqual(lengths, ["0", "0", "5", "undefined"]);
    },
  },
  {
    clauses: ["5.1.4"],
    title: "content that is not JSON causes a 400",
    app: () => async (request, respond) => respond(200, null, JSON.stringify(await request.body.json())),
    async run(stage) {
      const answer = await stage.exchange({ method: "POST", content: "{" });
      assert.equal(answer.status, 400);
    },
  },
  {
    clauses: ["5.1.4"],
    title: "text and JSON drop a byte order mark, bytes keep it",
    app: readIn,
    async run(stage) {
      const content = `\ufeff${JSON_TEXT}`;
      for (const [target, expected] of [
        ["/text", JSON_TEXT],
        ["/json", JSON_TEXT],
        ["/bytes", content],
      ] as const) {
        const answer = await stage.exchange({ method: "POST", target, content });
        assert.deepEqual([target, answer.content.toString()], [target, expected]);
      }
    },
  },
  {
    clauses: ["5.1.1"],
    title: "concurrent reads get the pieces in order, and then the end",
    app: () => async (request, respond) => {
      const iterator = request.body[Symbol.asyncIterator]();
      const results = await Promise.all(Array.from({ length: 5 }, () => iterator.next()));
      const read = Buffer.concat(results.flatMap(({ value }) => (value === undefined ? [] : [value])));
      respond(200, null, `${read} ${results.at(-1)?.done}`);
    },
    async run(stage) {
      const answer = await stage.exchange({ method: "POST", content: "content" });
      assert.equal(answer.content.toString(), "content true");
    },
  },
  {
    clauses: ["5.3.3"],
    title: "a reader that stops early ends its pending reads",
    wire: true,
    app: (stage) => async (request, respond) => {
      const iterator = request.body[Symbol.asyncIterator]();
      const reads = Promise.all([iterator.next(), iterator.next()]);
      await iterator.return?.();
      stage.note(JSON.stringify(await reads));
      respond(200, null, "stopped");
    },
    async run(stage) {
      const client = await stage.open();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n");
      assert.equal((await client.response()).content.toString(), "stopped");
      assert.deepEqual(stage.notes, ['[{"done":true},{"done":true}]']);
    },
  },
  {
    clauses: ["5.1.5"],
    title: "pieces keep their bytes while more arrive",
    app: () => async (request, respond) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request.body) {
        chunks.push(chunk);
        await new Promise((resolve) => setImmediate(resolve));
      }
      respond(200, null, Buffer.concat(chunks));
    },
    async run(stage) {
      const content = Array.from({ length: 40 }, (_, index) => String.fromCharCode(65 + index).repeat(5000));
      const answer = await stage.exchange({ method: "POST", content });
      assert.equal(answer.content.toString(), content.join(""));
    },
  },
];

const lateCases: readonly Case[] = [
  {
    clauses: ["5.3.5", "5.1.3"],
    title: "reading continues after the response if it has begun",
    app: (stage) => (request, respond) => {
      request.body.text().then(
        (text) => stage.note(text.length),
        (error) => stage.note(describeError(error)),
      );
      respond(202, null, "accepted");
    },
    async run(stage) {
      await stage.exchange({ method: "POST", content: ["x".repeat(40_000), "y".repeat(40_000)] });
      await stage.until(() => stage.notes.length > 0, "the reading");
      assert.deepEqual(stage.notes, [80_000]);
    },
  },
  {
    clauses: ["5.3.5", "5.1.3"],
    title: "reading after the response fails when the client disconnects",
    wire: true,
    app: (stage) => (request, respond) => {
      request.body.text().then(
        (text) => stage.note(text.length),
        (error) => stage.note(describeError(error)),
      );
      respond(202, null, "accepted");
    },
    async run(stage) {
      const client = await stage.open();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
      await client.response("POST");
      client.socket.destroy();
      await stage.until(() => stage.notes.length > 0, "the reading");
      assert.deepEqual(stage.notes, ["BodyError 400"]);
    },
  },
  {
    clauses: ["5.3.5", "5.1.3"],
    title: "reading that begins after the response is complete or fails",
    app: (stage) => (request, respond) => {
      respond(202, null, "accepted");
      setTimeout(
        () =>
          void request.body
            .text()
            .catch(describeError)
            .then((text) => stage.note(text)),
        30,
      );
    },
    async run(stage) {
      await stage.exchange({ method: "POST", content: "content" });
      await stage.until(() => stage.notes.length > 0, "the reading");
      assert.ok(["content", "BodyError 400"].includes(stage.notes[0] as string), String(stage.notes[0]));
    },
  },
];

const onceCases: readonly Case[] = [
  {
    clauses: ["5.2.1", "5.2.2"],
    title: "a body can be read once, in one way",
    app: () => async (request, respond) => {
      const { body } = request;
      const results: unknown[] = [body.used];
      await body.text();
      results.push(body.used);
      for (const way of ["bytes", "text", "json"] as const) {
        results.push(await body[way]().then(() => "read", describeError));
      }
      for (const way of ["stream", "web"] as const) {
        try {
          await pieces(body[way]());
          results.push("read");
        } catch (error) {
          results.push(describeError(error));
        }
      }
      results.push(await pieces(body).then(() => "read", describeError));
      respond(200, null, results.join(" "));
    },
    async run(stage) {
      const answer = await stage.exchange({ method: "POST", content: "{}" });
      assert.equal(answer.content.toString(), `false true${" GatewayError".repeat(6)}`);
    },
  },
];

const unread = (status: number): Handler => {
  return (_request, respond) => respond(status, null, "unread");
};

const demandCases: readonly Case[] = [
  {
    clauses: ["5.3.1"],
    title: "the first read sends 100 Continue",
    wire: true,
    app: (stage) => async (request, respond) => {
      stage.note("called");
      await stage.until(() => stage.notes.includes("read on"), "leave to read");
      respond(200, null, await request.body.text());
    },
    async run(stage) {
      const client = await stage.open();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
      await stage.until(() => stage.notes.includes("called"), "the call");
      assert.equal(client.received, "");
      stage.note("read on");
      await client.until(() => client.received.includes("\r\n\r\n"), "100 Continue");
      assert.match(client.received, /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
      client.send("body");
      const answer = await client.response();
      assert.deepEqual([answer.status, answer.content.toString()], [200, "body"]);
    },
  },
  {
    clauses: ["5.3.1", "5.3.4"],
    title: "100 Continue is not sent if the body is not read, and the connection closes",
    wire: true,
    app: () => unread(403),
    async run(stage) {
      const client = await stage.open();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
      const answer = await client.response();
      assert.deepEqual([answer.status, answer.informational.length], [403, 0]);
      assert.equal(answer.headers.connection, "close");
      await client.until(() => client.ended, "the end of the connection");
    },
  },
  {
    clauses: ["5.3.1"],
    title: "100 Continue is not sent after the final head",
    app: () => async (request, respond) => {
      const writer = respond(200);
      await writer.flush();
      writer.write("early").catch(() => {});
      request.body.text().catch(() => {});
      await writer.end();
    },
    async run(stage) {
      const headers = ["Expect", "100-continue"];
      const answer = await stage.exchange({ method: "POST", headers, content: "body" });
      assert.deepEqual([answer.status, answer.informational.length], [200, 0]);
    },
  },
  {
    clauses: ["5.3.2"],
    title: "a body that the app does not read is not received",
    wire: true,
    app: (stage) => async (request, respond) => {
      const iterator = request.body[Symbol.asyncIterator]();
      await iterator.next();
      stage.note("first piece");
      await stage.until(() => stage.notes.includes("stuck"), "the client to be stuck");
      let size = 0;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
        size += next.value.length;
      }
      respond(200, null, String(size > 0));
    },
    async run(stage) {
      const size = 64 * 1024 * 1024;
      const client = await stage.open();
      client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
      const piece = Buffer.alloc(1024 * 1024);
      let sent = 0;
      let stuck = 0;
      // Sends until nothing moves for many turns of the loop: then all that can be buffered has been sent.
      while (sent < size && stuck < 5000) {
        if (client.socket.writableLength === 0) {
          client.socket.write(piece);
          sent += piece.length;
          stuck = 0;
        } else stuck += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.ok(sent < size / 2, `${sent} bytes went through unread`);
      stage.note("stuck");
      while (sent < size) {
        if (!client.socket.write(piece)) await new Promise((resolve) => client.socket.once("drain", resolve));
        sent += piece.length;
      }
      assert.equal((await client.response()).content.toString(), "true");
    },
  },
  {
    clauses: ["5.3.3", "5.3.4"],
    title: "a reader can stop early, and the rest of the content is not taken for a request",
    wire: true,
    app: (stage) => async (request, respond) => {
      stage.note(request.target);
      for await (const chunk of request.body) {
        stage.note(chunk.length > 0);
        break;
      }
      respond(200, null, "enough");
    },
    async run(stage) {
      const client = await stage.open();
      const content = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
      client.send(requestBytes({ method: "POST", target: "/stop", content }));
      client.socket.end();
      assert.equal((await client.response()).content.toString(), "enough");
      await client.until(() => client.ended, "the end of the connection");
      assert.deepEqual(stage.notes, ["/stop", true]);
    },
  },
  {
    clauses: ["5.3.4"],
    title: "an unread body is not taken for the next request",
    wire: true,
    app: (stage) => (request, respond) => {
      stage.note(request.target);
      respond(200, null, request.target);
    },
    async run(stage) {
      const client = await stage.open();
      client.send(
        requestBytes({ method: "POST", target: "/one", content: "GET /smuggled HTTP/1.1\r\n\r\n" }),
      );
      client.send(requestBytes({ target: "/two" }));
      assert.equal((await client.response()).content.toString(), "/one");
      assert.equal((await client.response()).content.toString(), "/two");
      assert.deepEqual(stage.notes, ["/one", "/two"]);
    },
  },
  {
    clauses: ["5.3.4"],
    title: "an endless unread body does not delay the response",
    wire: true,
    app: () => unread(413),
    async run(stage) {
      const client = await stage.open();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n");
      const piece = Buffer.alloc(65536);
      let sent = 0;
      while (!client.ended && sent < 256 * 1024 * 1024) {
        const isTaken = client.socket.writableLength === 0;
        if (isTaken) {
          client.socket.write(piece);
          sent += piece.length;
        }
        await new Promise((resolve) => (isTaken ? setImmediate(resolve) : setTimeout(resolve, 1)));
      }
      assert.ok(client.ended, "the server reads on without a bound");
      assert.match(client.received, /^HTTP\/1\.1 413 /);
    },
  },
];

const limitCases: readonly Case[] = [
  ...["bytes", "text", "json"].flatMap((way) =>
    [{ content: '"0123456789"' }, { content: ['"01234', '56789"'] }].map(
      ({ content }): Case => ({
        clauses: ["5.4.1"],
        title: `${way} refuses content beyond its limit, ${Array.isArray(content) ? "in chunks" : "declared"}`,
        app: () => async (request, respond) => {
          const body = request.body as RequestBody & { [way: string]: (options: object) => Promise<unknown> };
          const read = body[way] as (options: object) => Promise<unknown>;
          await read.call(body, { limit: request.path === "/fits" ? 12 : 11 });
          respond(200, null, "fits");
        },
        async run(stage) {
          const statuses: number[] = [];
          for (const target of ["/fits", "/over"]) {
            statuses.push((await stage.exchange({ method: "POST", target, content })).status);
          }
          assert.deepEqual(statuses, [200, 413]);
        },
      }),
    ),
  ),
  ...Object.keys(READINGS).map(
    (name): Case => ({
      clauses: ["5.4.1"],
      title: `the server's own limit applies to ${name}`,
      options: { bodyLimit: 10 },
      app: readIn,
      async run(stage) {
        const over = await stage.exchange({
          method: "POST",
          target: `/${name}`,
          content: ['"01234', '56789"'],
        });
        assert.equal(over.status, 413);
        const fits = await stage.exchange({ method: "POST", target: `/${name}`, content: '"01234"' });
        assert.equal(fits.content.toString(), '"01234"');
      },
    }),
  ),
  ...["bytes", "text", "json"].map(
    (way): Case => ({
      clauses: ["5.4.1"],
      title: `${way} refuses an invalid limit, and the body can still be read`,
      app: (stage) => async (request, respond) => {
        const body = request.body as RequestBody & { [way: string]: (options: object) => Promise<unknown> };
        const read = body[way] as (options: object) => Promise<unknown>;
        for (const limit of [Number.NaN, -1, "12", null]) {
          const name = await read.call(body, { limit }).then(
            () => "taken",
            (error: Error) => error.name,
          );
          stage.note(name);
        }
        stage.note(body.used);
        respond(200, null, String(await read.call(body, { limit: Number.POSITIVE_INFINITY })));
      },
      async run(stage) {
        const answer = await stage.exchange({ method: "POST", content: "12" });
        assert.deepEqual(stage.notes, [...Array<string>(4).fill("GatewayError"), false]);
        assert.equal(answer.content.toString(), "12");
      },
    }),
  ),
  {
    clauses: ["5.4.2"],
    title: "content that is declared too long is refused without 100 Continue",
    app: () => async (request, respond) => respond(200, null, await request.body.text({ limit: 3 })),
    async run(stage) {
      const headers = ["Expect", "100-continue"];
      const answer = await stage.exchange({ method: "POST", headers, content: "long" });
      assert.deepEqual([answer.status, answer.informational.length], [413, 0]);
    },
  },
];

const trailerCases: readonly Case[] = [
  {
    clauses: ["10.1"],
    title: "trailers are available once the body has been read, joined and raw",
    app: () => async (request: GatewayRequest, respond) => {
      await request.body.text();
      const { trailers, rawTrailers } = request;
      const bare = Object.getPrototypeOf(trailers) === null;
      respond(200, null, JSON.stringify([bare, trailers["x-sum"], trailers["x-list"], rawTrailers]));
    },
    async run(stage) {
      const trailers = ["X-Sum", "1", "X-List", "a", "x-list", "b"];
      const answer = await stage.exchange({ method: "POST", content: ["a", "b"], trailers });
      assert.deepEqual(JSON.parse(answer.content.toString()), [true, "1", "a, b", trailers]);
    },
  },
  {
    clauses: ["10.1"],
    title: "trailers are empty if there are none",
    app: () => async (request, respond) => {
      await request.body.text();
      respond(200, null, JSON.stringify([Object.keys(request.trailers), request.rawTrailers]));
    },
    async run(stage) {
      const answer = await stage.exchange({ method: "POST", content: "sized" });
      assert.equal(answer.content.toString(), "[[],[]]");
    },
  },
  {
    clauses: ["10.3"],
    title: "a framing or authentication field in the trailers never reaches the app",
    app: (stage) => async (request, respond) => {
      await request.body.text().catch(() => {});
      stage.note(request.trailers);
      respond(200, null, "read");
    },
    async run(stage) {
      const trailers = ["Content-Length", "5", "Authorization", "Basic eA=="];
      // A server may also refuse such a request instead of dropping the field.
      await stage.exchange({ method: "POST", content: ["a"], trailers });
      const seen = stage.notes[0] as { [name: string]: string } | undefined;
      assert.equal(seen?.["content-length"], undefined);
      assert.equal(seen?.authorization, undefined);
    },
  },
];

export const bodyCases: readonly Case[] = [
  ...contentCases,
  ...lateCases,
  ...onceCases,
  ...demandCases,
  ...limitCases,
  ...trailerCases,
];
