/** Section 9: protocol upgrades. */
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import type { Handler } from "../../gateway/types.ts";
import { values } from "../exchange.ts";
import { type Case, within } from "../stage.ts";
import { connectionOptions } from "./shared.ts";

const ASKS = ["Host", "a", "Connection", "keep-alive, Upgrade", "Upgrade", "echo"];
const HANDSHAKE = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

/** Reads a stream to its end. */
async function all(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}

const echo: Handler = (_request, respond) => {
  const connection = respond.upgrade({ upgrade: "echo" });
  connection.pipe(connection);
};

export const upgradeCases: readonly Case[] = [
  {
    clauses: ["4.6.1", "3.2.2"],
    title: "an upgrade request has upgrade set and goes to the app's upgrade handler",
    app: (stage) => ({
      handle: (request, respond) => {
        stage.note(["handle", request.upgrade]);
        respond(200, null, "plain");
      },
      upgrade: (request, respond) => {
        stage.note(["upgrade", request.upgrade, request.headers.upgrade]);
        respond(426, null, "no");
      },
    }),
    async run(stage) {
      assert.equal((await stage.exchange({ headers: ASKS })).status, 426);
      assert.equal((await stage.exchange()).status, 200);
      const old = await stage.exchange({ headers: ASKS, httpVersion: "1.0" });
      assert.equal(old.status, 200);
      assert.deepEqual(stage.notes, [
        ["upgrade", true, "echo"],
        ["handle", false],
        ["handle", false],
      ]);
    },
  },
  {
    clauses: ["3.2.2", "9.5"],
    title: "without an upgrade handler such requests go to handle, which can respond as usual",
    app: () => (request, respond) => respond(200, null, String(request.upgrade)),
    async run(stage) {
      const answer = await stage.exchange({ headers: ASKS });
      assert.deepEqual([answer.status, answer.content.toString(), answer.complete], [200, "true", true]);
    },
  },
  {
    clauses: ["9.5", "4.6.1"],
    title:
      "content is no part of the new protocol: with an upgrade, such a request is refused or asks for nothing",
    app: (stage) => ({
      handle: async (request, respond) => {
        stage.note(["handle", request.upgrade, await request.body.text()]);
        respond(200, null, "plain");
      },
      upgrade: (request, respond) => {
        stage.note(["upgrade", request.body.length]);
        echo(request, respond);
      },
    }),
    async run(stage) {
      for (const content of ["content", ["con", "tent"]]) {
        const answer = await stage.exchange({ method: "POST", headers: ASKS, content });
        assert.ok(answer.status === 501 || answer.status === 200, `status ${answer.status}`);
      }
      const handled = stage.notes.filter((note) => (note as unknown[])[0] === "handle");
      assert.deepEqual(stage.notes, handled, "what the app's upgrade was given");
      for (const note of handled) assert.deepEqual(note, ["handle", false, "content"]);
      assert.deepEqual(stage.errors, []);
      const upgraded = await stage.exchange({ headers: [...ASKS, "Content-Length", "0"] });
      assert.equal(upgraded.status, 101);
      upgraded.upgraded?.destroy();
    },
  },
  {
    clauses: ["9.5", "4.6.1"],
    title:
      "content is no part of the new protocol: without an upgrade, such a request is like any other, or refused",
    app: (stage) => async (request, respond) => {
      stage.note([request.upgrade, await request.body.text()]);
      respond(200, null, "plain");
    },
    async run(stage) {
      for (const content of ["content", ["con", "tent"]]) {
        const answer = await stage.exchange({ method: "POST", headers: ASKS, content });
        if (answer.status !== 501) assert.deepEqual(stage.notes.pop(), [false, "content"]);
      }
      assert.deepEqual(stage.notes, []);
    },
  },
  {
    clauses: ["9.1", "9.6"],
    title: "the app owns the connection in both directions",
    app: () => echo,
    async run(stage) {
      const answer = await stage.exchange({ headers: ASKS });
      assert.equal(answer.status, 101);
      assert.deepEqual(values(answer.rawHeaders, "upgrade"), ["echo"]);
      assert.deepEqual(values(answer.rawHeaders, "connection"), ["Upgrade"]);
      const connection = answer.upgraded as Duplex;
      const bytes = "\0\x01\r\n\r\nGET / HTTP/1.1\r\n\xff".repeat(1000);
      connection.end(bytes, "latin1");
      assert.equal(await within(all(connection), "the echo"), bytes);
    },
  },
  {
    clauses: ["9.1"],
    title: "the app's own Connection field is sent unchanged",
    app: () => (_request, respond) => respond.upgrade({ connection: "upgrade", upgrade: "echo" }).end(),
    async run(stage) {
      const answer = await stage.exchange({ headers: ASKS });
      assert.deepEqual(values(answer.rawHeaders, "connection"), ["upgrade"]);
      answer.upgraded?.destroy();
    },
  },
  {
    clauses: ["9.1"],
    title: "a 101 has no framing fields, and Connection has the upgrade option",
    app: () => (_request, respond) => {
      const headers = { "content-length": "5", "transfer-encoding": "chunked", "keep-alive": "timeout=9" };
      respond.upgrade({ ...headers, connection: "keep-alive", upgrade: "echo", "x-a": "b" }).end();
    },
    async run(stage) {
      const answer = await stage.exchange({ headers: ASKS });
      assert.equal(answer.status, 101);
      assert.deepEqual(connectionOptions(answer.rawHeaders), ["upgrade"]);
      assert.deepEqual(
        { ...answer.headers, connection: "" },
        { connection: "", upgrade: "echo", "x-a": "b" },
      );
      answer.upgraded?.destroy();
    },
  },
  {
    clauses: ["9.2"],
    title: "a library can write the handshake itself",
    app: () => (_request, respond) => respond.upgrade().end(`${HANDSHAKE}hello`),
    async run(stage) {
      const answer = await stage.exchange({ headers: ASKS });
      assert.equal(answer.status, 101);
      const connection = answer.upgraded as Duplex;
      assert.equal(await within(all(connection), "the greeting"), "hello");
      connection.destroy();
    },
  },
  {
    clauses: ["9.3", "6.6.3"],
    title: "upgrading a request that did not ask for it throws, and the app can still respond",
    app: (stage) => (_request, respond) => {
      try {
        respond.upgrade({ upgrade: "echo" });
      } catch (error) {
        stage.note((error as Error).name);
      }
      stage.note(respond.sent);
      respond(200, null, "answered");
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "answered");
      assert.deepEqual(stage.notes, ["GatewayError", false]);
    },
  },
  {
    clauses: ["9.1", "6.3.2"],
    title: "header injection into a 101 is refused",
    app: (stage) => (_request, respond) => {
      try {
        respond.upgrade({ upgrade: "echo\r\ninjected: b" });
      } catch (error) {
        stage.note((error as Error).name);
      }
      respond(400, null, "refused");
    },
    async run(stage) {
      assert.equal((await stage.exchange({ headers: ASKS })).status, 400);
      assert.deepEqual(stage.notes, ["GatewayError"]);
    },
  },
  {
    clauses: ["9.4"],
    title: "bytes received after the head are read first",
    wire: true,
    app: () => async (_request, respond) => {
      await new Promise((resolve) => setImmediate(resolve));
      const connection = respond.upgrade({ upgrade: "echo" });
      connection.pipe(connection);
    },
    async run(stage) {
      const client = await stage.open();
      const fields = ASKS.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
      client.send(`GET / HTTP/1.1\r\n${fields}\r\nfirst `);
      assert.equal((await client.response()).status, 101);
      client.send("second");
      assert.equal(await client.rest(12), "first second");
    },
  },
  {
    clauses: ["4.6.1", "4.2.2", "4.4.2", "9.2"],
    title: "CONNECT is an upgrade request",
    app: (stage) => (request, respond) => {
      stage.note([request.upgrade, request.target, request.path, request.host]);
      if (request.headers["x-refuse"] !== undefined) respond(403, null, "no");
      else respond.upgrade().end("HTTP/1.1 200 OK\r\n\r\n");
    },
    async run(stage) {
      const headers = ["Host", "db.example:5432", "X-Refuse", "1"];
      const refusal = await stage.exchange({ method: "CONNECT", target: "db.example:5432", headers });
      assert.equal(refusal.status, 403);
      assert.deepEqual(stage.notes, [[true, "db.example:5432", "", "db.example:5432"]]);
    },
  },
  {
    clauses: ["9.7"],
    title: "a connection that is reset after the upgrade does not end the worker",
    wire: true,
    app: (stage) => (request, respond) => {
      if (!request.upgrade) {
        respond(200, null, "alive");
        return;
      }
      const connection = respond.upgrade({ upgrade: "echo" });
      connection.on("close", () => stage.note("closed"));
      connection.resume();
    },
    async run(stage) {
      const client = await stage.open();
      const fields = ASKS.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
      client.send(`GET / HTTP/1.1\r\n${fields}\r\n`);
      assert.equal((await client.response()).status, 101);
      client.reset();
      await stage.until(() => stage.notes.length > 0, "the end of the connection");
      assert.equal((await stage.exchange()).content.toString(), "alive");
    },
  },
];
