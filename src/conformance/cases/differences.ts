/** Points in which servers once differed though each met the text: one case for each, where no other has it. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Handler } from "../../gateway/types.ts";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";
import { GET } from "./shared.ts";

const isPlain = (value: unknown): boolean => Object.getPrototypeOf(value) === Uint8Array.prototype;

const requestCases: readonly Case[] = [
  {
    clauses: ["4.2.2", "4.2.4"],
    title: "what is left of the root path itself is /",
    options: { rootPath: "/app" },
    app: () => (request, respond) => respond(200, null, `${request.rootPath} ${request.path}`),
    async run(stage) {
      for (const [target, expected] of [
        ["/app", "/app /"],
        ["/app?a=b", "/app /"],
        ["/app/", "/app /"],
        ["/apple", "/app /apple"],
      ] as const)
        assert.equal((await stage.exchange({ target })).content.toString(), expected, target);
    },
  },
  {
    clauses: ["4.2.5"],
    title: "a later version of HTTP/1 is 1.1, or refused with 505",
    wire: true,
    app: () => (request, respond) => respond(200, null, request.httpVersion),
    async run(stage) {
      const client = await stage.open();
      client.send(GET.replace("HTTP/1.1", "HTTP/1.2"));
      const answer = await client.response();
      if (answer.status !== 505) assert.equal(answer.content.toString(), "1.1");
    },
  },
  {
    clauses: ["4.4.2", "13.4"],
    title: "an authority with userinfo is refused",
    wire: true,
    app: () => (request, respond) => respond(200, null, request.host),
    async run(stage) {
      for (const request of [
        GET.replace("Host: a", "Host: user@a"),
        GET.replace("GET /", "GET http://user@a/"),
      ]) {
        const client = await stage.open();
        client.send(request);
        assert.equal((await client.response()).status, 400, request);
      }
    },
  },
  {
    clauses: ["4.5.1"],
    title: "the worker names the interface and the server",
    app:
      () =>
      ({ worker }, respond) =>
        respond(200, null, JSON.stringify([worker.gateway, worker.server])),
    async run(stage) {
      const [gateway, server] = JSON.parse((await stage.exchange()).content.toString()) as string[];
      assert.equal(gateway, "1.0");
      assert.match(server ?? "", /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\/\S+$/);
    },
  },
  {
    clauses: ["5.1.4"],
    title: "pieces and bytes() are plain Uint8Arrays",
    app: () => async (request, respond) => {
      if (request.path === "/bytes") return respond(200, null, String(isPlain(await request.body.bytes())));
      let all = true;
      for await (const piece of request.path === "/web" ? request.body.web() : request.body)
        all &&= isPlain(piece);
      respond(200, null, String(all));
    },
    async run(stage) {
      for (const target of ["/bytes", "/iterable", "/web"])
        for (const content of ["some", ["some", "pieces"]]) {
          const answer = await stage.exchange({ method: "POST", target, content });
          assert.equal(answer.content.toString(), "true", `${target} ${content}`);
        }
    },
  },
  {
    clauses: ["5.1.4"],
    title: "text() decodes as fetch does",
    app: () => async (request, respond) => respond(200, null, JSON.stringify(await request.body.text())),
    async run(stage) {
      for (const [bytes, expected] of [
        [[0xef, 0xbb, 0xbf, 0x61], "a"],
        [[0x61, 0xff, 0x62], "a\ufffdb"],
        [[0xe2, 0x82], "\ufffd"],
        [[0x61, 0xef, 0xbb, 0xbf], "a\ufeff"],
      ] as const) {
        const answer = await stage.exchange({ method: "POST", content: Uint8Array.from(bytes) });
        assert.equal(JSON.parse(answer.content.toString()), expected);
      }
    },
  },
];

const finishing: Handler = (request, respond) => {
  if (request.path === "/stream") respond(200, null, ["some ", "pieces"]);
  else if (request.path === "/none") respond(204, null, null);
  else respond(201, null, "gr\u00fc\u00dfe");
};

const answerCases: readonly Case[] = [
  {
    clauses: ["6.6.4"],
    title: "finished resolves with the status and the bytes that were sent",
    app: (stage) => async (request, respond) => {
      finishing(request, respond);
      stage.note(await respond.finished());
    },
    async run(stage) {
      for (const target of ["/", "/stream", "/none"]) await stage.exchange({ target });
      await stage.exchange({ method: "HEAD" });
      await stage.until(() => stage.notes.length === 4, "all four");
      assert.deepEqual(stage.notes, [
        { status: 201, bytes: 7 },
        { status: 200, bytes: 11 },
        { status: 204, bytes: 0 },
        { status: 201, bytes: 0 },
      ]);
    },
  },
  {
    clauses: ["6.6.4", "12.1"],
    title: "finished rejects with the reason of the signal when the client has gone",
    wire: true,
    app: (stage) => async (request, respond) => {
      stage.note("called");
      const error: unknown = await respond.finished().catch((reason: unknown) => reason);
      stage.note(error === request.signal.reason ? "the reason" : error);
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await stage.until(() => stage.notes.length === 1, "the call");
      client.reset();
      await stage.until(() => stage.notes.length === 2, "the end");
      assert.deepEqual(stage.notes, ["called", "the reason"]);
    },
  },
  {
    clauses: ["6.6.4", "12.3", "6.6.2"],
    title: "after the time is over, finished rejects with the reason, and sent is true",
    options: { requestTimeout: 50 },
    app: (stage) => async (request, respond) => {
      const error: unknown = await respond.finished().catch((reason: unknown) => reason);
      stage.note(error === request.signal.reason ? "the reason" : error);
      stage.note(respond.sent);
      respond(200, null, "too late");
    },
    async run(stage) {
      assert.equal((await stage.exchange()).status, 503);
      await stage.until(() => stage.notes.length === 2, "both");
      assert.deepEqual(stage.notes, ["the reason", true]);
    },
  },
  {
    clauses: ["7.4"],
    title: "flush and destroy after the end do nothing",
    app: () => async (_request, respond) => {
      const writer = respond(200);
      await writer.end("whole");
      await writer.flush();
      writer.destroy(new Error("too late"));
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.toString(), answer.complete], ["whole", true]);
      await pause(10);
      assert.deepEqual(stage.errors, []);
    },
  },
  {
    clauses: ["7.2", "6.5.2", "11.3"],
    title: "a piece beyond the declared length cuts the answer off, and is reported",
    wire: true,
    app: (stage) => async (_request, respond) => {
      const writer = respond(200, { "content-length": "5" });
      await writer.write("some");
      stage.note(await writer.write("more").then(String, (error: Error) => error.name));
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await client.until(() => client.ended, "the end");
      assert.ok(!client.received.includes("more"));
      assert.deepEqual(stage.notes, ["GatewayError"]);
      assert.equal(stage.errors.length, 1);
    },
  },
  {
    clauses: ["7.2", "11.1"],
    title: "a first piece that is none is answered with 500",
    app: (stage) => async (_request, respond) => {
      const writer = respond(200);
      stage.note(await writer.write(42 as unknown as string).then(String, (error: Error) => error.name));
    },
    notUnderLint: "lint refuses it before the server sees it",
    async run(stage) {
      assert.equal((await stage.exchange()).status, 500);
      assert.deepEqual(stage.notes, ["GatewayError"]);
    },
  },
  {
    clauses: ["6.3.4"],
    title: "Upgrade in an ordinary answer is named in Connection, and what frames is ignored",
    needs: ["upgrade"],
    app: () => (_request, respond) =>
      respond(426, { upgrade: "websocket", "keep-alive": "timeout=9", "transfer-encoding": "gzip" }, "no"),
    notUnderLint: "lint refuses such fields",
    async run(stage) {
      const { rawHeaders, content } = await stage.exchange();
      assert.match(values(rawHeaders, "connection").join(), /\bupgrade\b/i);
      assert.deepEqual(values(rawHeaders, "transfer-encoding"), []);
      assert.ok(!values(rawHeaders, "keep-alive").includes("timeout=9"));
      assert.equal(content.toString(), "no");
    },
  },
  {
    clauses: ["5.3.1", "8.2"],
    title: "a client that does not wait for 100 gets none",
    needs: ["informational"],
    app: () => async (request, respond) => respond(200, null, await request.body.text()),
    async run(stage) {
      const answer = await stage.exchange({ method: "POST", content: "content" });
      assert.deepEqual([answer.informational.length, answer.content.toString()], [0, "content"]);
    },
  },
];

export const differenceCases: readonly Case[] = [...requestCases, ...answerCases];
