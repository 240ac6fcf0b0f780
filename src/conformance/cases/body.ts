/** Sections 5.1 and 5.2: the content of a request, read once. */
import assert from "node:assert/strict";
import type { Handler, RequestBody } from "../../gateway/types.ts";
import type { Case, Stage } from "../stage.ts";
import { describeError, pieces, READINGS, readIn } from "./shared.ts";

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

export const bodyCases: readonly Case[] = [...contentCases, ...lateCases, ...onceCases];
