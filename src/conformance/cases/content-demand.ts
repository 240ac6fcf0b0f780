/** Sections 5.3 and 5.4: reading on demand, and limits. */
import assert from "node:assert/strict";
import type { Handler, RequestBody } from "../../gateway/types.ts";
import type { Case } from "../stage.ts";
import { requestBytes } from "../wire-client.ts";
import { READINGS, readIn } from "./shared.ts";

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
    clauses: ["5.3.1"],
    title: "a client that waits gets no 100 Continue after the final head",
    wire: true,
    app: () => async (request, respond) => {
      const writer = respond(200);
      await writer.write("early");
      request.body.text().catch(() => {});
      await writer.end();
    },
    async run(stage) {
      const client = await stage.open();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
      const { status, content } = await client.response("POST");
      assert.deepEqual([status, content.toString()], [200, "early"]);
      assert.doesNotMatch(client.received, /100 Continue/);
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
        for (const content of ['"01234567"', ['"0123', '4567"']]) {
          const fits = await stage.exchange({ method: "POST", target: `/${name}`, content });
          assert.equal(fits.content.toString(), '"01234567"');
        }
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
        const content = await read.call(body, { limit: Number.POSITIVE_INFINITY });
        respond(200, null, content instanceof Uint8Array ? content : String(content));
      },
      async run(stage) {
        const answer = await stage.exchange({ method: "POST", content: "12" });
        assert.deepEqual(stage.notes, [...Array<string>(4).fill("GatewayError"), false]);
        assert.equal(answer.content.toString(), "12");
      },
    }),
  ),
  {
    clauses: ["5.4.1"],
    title: "the app cannot raise the server's own limit",
    options: { bodyLimit: 3 },
    app: () => async (request, respond) => respond(200, null, await request.body.text({ limit: 100 })),
    async run(stage) {
      assert.equal((await stage.exchange({ method: "POST", content: ["lo", "ng"] })).status, 413);
    },
  },
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

export const contentDemandCases: readonly Case[] = [...demandCases, ...limitCases];
