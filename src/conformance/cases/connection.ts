/** Section 13: framing, order, persistence, refusal. */
import assert from "node:assert/strict";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";
import { requestBytes } from "../wire-client.ts";

async function* twoPieces(): AsyncGenerator<string> {
  yield "two ";
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  yield "pieces";
}

const INVALID: { readonly [what: string]: string } = {
  "no Host": "GET / HTTP/1.1\r\n\r\n",
  "a space before the colon": "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
  "two lengths": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  "length and chunks":
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a signed length": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
  "a line that is no field": "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
};

export const connectionCases: readonly Case[] = [
  {
    clauses: ["13.1"],
    title: "content of unknown length is chunked, and for HTTP/1.0 ends with the connection",
    wire: true,
    app: () => (_request, respond) => respond(200, null, twoPieces()),
    async run(stage) {
      const chunked = await stage.exchange();
      assert.deepEqual(values(chunked.rawHeaders, "transfer-encoding"), ["chunked"]);
      assert.deepEqual(values(chunked.rawHeaders, "content-length"), []);
      assert.equal(chunked.content.toString(), "two pieces");
      const old = await stage.exchange({ httpVersion: "1.0", headers: ["Connection", "keep-alive"] });
      assert.deepEqual(values(old.rawHeaders, "transfer-encoding"), []);
      assert.deepEqual([old.content.toString(), old.complete], ["two pieces", true]);
    },
  },
  {
    clauses: ["13.1", "13.3"],
    title: "responses of each kind follow each other on one connection",
    wire: true,
    app: () => async (request, respond) => {
      if (request.path === "/whole") respond(200, null, "whole");
      else if (request.path === "/pieces") respond(200, null, twoPieces());
      else if (request.path === "/sized") respond(200, { "content-length": 10 }, twoPieces());
      else await respond(200).end("written", { "x-a": "trailer" });
    },
    async run(stage) {
      const client = await stage.open();
      for (const target of ["/whole", "/pieces", "/sized", "/written", "/whole"]) {
        client.send(requestBytes({ target }));
        const answer = await client.response();
        assert.equal(answer.status, 200);
        assert.notEqual(answer.headers.connection, "close");
      }
      client.send(requestBytes({ method: "HEAD", target: "/whole" }));
      assert.equal((await client.response("HEAD")).content.length, 0);
      client.send(requestBytes({ target: "/whole" }));
      assert.equal((await client.response()).content.toString(), "whole");
    },
  },
  {
    clauses: ["13.2"],
    title: "responses are sent in request order even if the first takes longest",
    wire: true,
    app: (stage) => async (request, respond) => {
      if (request.path === "/slow") for (let turn = 0; turn < 20; turn += 1) await turnOfTheLoop();
      stage.note(request.path);
      respond(200, null, request.path);
    },
    async run(stage) {
      const client = await stage.open();
      const targets = ["/slow", "/b", "/c"];
      client.send(Buffer.concat(targets.map((target) => requestBytes({ target }))));
      for (const target of targets) assert.equal((await client.response()).content.toString(), target);
    },
  },
  {
    clauses: ["13.2"],
    title: "a request after one with Connection: close is not run",
    wire: true,
    app: (stage) => (request, respond) => {
      stage.note(request.path);
      respond(200, null, "x");
    },
    async run(stage) {
      const client = await stage.open();
      client.send(requestBytes({ target: "/last", headers: ["Host", "a", "Connection", "close"] }));
      client.send(requestBytes({ target: "/never" }));
      assert.deepEqual(values((await client.response()).rawHeaders, "connection"), ["close"]);
      await client.until(() => client.ended, "the end of the connection");
      assert.deepEqual(stage.notes, ["/last"]);
    },
  },
  {
    clauses: ["13.2", "6.3.4"],
    title: "a request after a response with Connection: close is not run",
    wire: true,
    app: (stage) => async (request, respond) => {
      stage.note(request.path);
      await turnOfTheLoop();
      respond(200, { connection: "close" }, "x");
    },
    async run(stage) {
      const client = await stage.open();
      client.send(Buffer.concat([requestBytes({ target: "/last" }), requestBytes({ target: "/never" })]));
      assert.equal((await client.response()).status, 200);
      await client.until(() => client.ended, "the end of the connection");
      assert.deepEqual(stage.notes, ["/last"]);
    },
  },
  {
    clauses: ["13.3"],
    title: "an HTTP/1.0 connection closes unless keep-alive is requested",
    wire: true,
    app: () => (_request, respond) => respond(200, null, "x"),
    async run(stage) {
      const kept = await stage.open();
      for (let count = 0; count < 2; count += 1) {
        kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert.equal((await kept.response()).headers.connection?.toLowerCase(), "keep-alive");
      }
      const closed = await stage.open();
      closed.send("GET / HTTP/1.0\r\n\r\n");
      await closed.response();
      await closed.until(() => closed.ended, "the end of the connection");
    },
  },
  ...Object.entries(INVALID).map(
    ([what, bytes]): Case => ({
      clauses: ["13.4"],
      title: `a request with ${what} is refused and does not reach the app`,
      wire: true,
      app: (stage) => (request, respond) => {
        stage.note(request.target);
        respond(200, null, "x");
      },
      async run(stage) {
        const client = await stage.open();
        client.send(`${bytes}GET /behind HTTP/1.1\r\nHost: a\r\n\r\n`);
        await client.until(() => client.ended, "the end of the connection");
        assert.match(client.received, /^HTTP\/1\.1 400 /);
        assert.deepEqual(stage.notes, []);
      },
    }),
  ),
];

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
