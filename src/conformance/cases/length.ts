/** Sections 6.5 to 6.7: length, once, and answers without content. */
import assert from "node:assert/strict";
import type { ResponseBody } from "../../gateway/types.ts";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";
import { generate, refused, respondWith } from "./shared.ts";

const lengthCases: readonly Case[] = [
  {
    clauses: ["6.5.1"],
    title: "content of known length has a Content-Length in bytes",
    app: respondWith(200, null, "gr\u00fc\u00dfe"),
    async run(stage) {
      assert.deepEqual(values((await stage.exchange()).rawHeaders, "content-length"), ["7"]);
    },
  },
  {
    clauses: ["6.5.2"],
    title: "the app's own Content-Length is sent once",
    app: () => (request, respond) => {
      if (request.path === "/whole") respond(200, { "Content-Length": "3" }, "abc");
      else respond(200, { "content-length": 4 }, ["ab", "cd"]);
    },
    async run(stage) {
      const whole = await stage.exchange({ target: "/whole" });
      assert.deepEqual(values(whole.rawHeaders, "content-length"), ["3"]);
      const pieces = await stage.exchange({ target: "/pieces" });
      assert.deepEqual(values(pieces.rawHeaders, "content-length"), ["4"]);
      assert.equal(pieces.content.toString(), "abcd");
    },
  },
  ...["4", "2", "-3", "+3", "3.0", "0x3", "three", ""].map((length) =>
    refused(
      ["6.5.2", "6.6.3"],
      `Content-Length ${JSON.stringify(length)} for three bytes is refused`,
      (_r, respond) => respond(200, { "content-length": length }, "abc"),
    ),
  ),
  refused(["6.5.2"], "two different lengths are refused", (_request, respond) =>
    respond(200, { "content-length": ["3", "4"] }, "abc"),
  ),
  ...["6", "2"].map(
    (length): Case => ({
      clauses: ["6.5.2", "11.3"],
      title: `pieces of four bytes never look complete with Content-Length ${length}`,
      app: () => (_request, respond) => {
        const source = async function* (): AsyncGenerator<string> {
          yield "ab";
          await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
          yield "cd";
        };
        respond(200, { "content-length": length }, source());
      },
      async run(stage) {
        const answer = await stage.exchange();
        assert.ok(answer.content.length <= Number(length));
        // A client that has received the declared length may have disconnected before the error is reported.
        if (length === "2") return;
        assert.equal(answer.complete, false);
        await stage.until(() => stage.errors.length === 1, "the report");
      },
    }),
  ),
];

const onceCases: readonly Case[] = [
  {
    clauses: ["6.6.1", "6.6.2"],
    title: "a second response throws, and the first is sent",
    app: (stage) => (request, respond) => {
      stage.note(respond.sent);
      respond(200, null, "first");
      stage.note(respond.sent);
      for (const again of [
        () => respond(201, null, "second"),
        () => respond(202),
        () => respond.upgrade({ upgrade: "echo" }),
      ]) {
        try {
          again();
          stage.note("taken");
        } catch (error) {
          stage.note((error as Error).name);
        }
      }
      stage.note(request.path);
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.status, answer.content.toString()], [200, "first"]);
      const refusals = ["GatewayError", "GatewayError", "GatewayError"];
      assert.deepEqual(stage.notes, [false, true, ...refusals, "/"]);
    },
  },
  {
    clauses: ["6.6.2"],
    title: "a response has begun when respond returns a writer",
    app: (stage) => (_request, respond) => {
      const writer = respond(200);
      stage.note(respond.sent);
      void writer.end("written");
    },
    async run(stage) {
      await stage.exchange();
      assert.deepEqual(stage.notes, [true]);
    },
  },
  {
    clauses: ["6.6.4"],
    title: "finished resolves when the response is complete",
    app: (stage) => async (_request, respond) => {
      const early = respond.finished().then(() => stage.note("early"));
      respond(200, null, generate());
      await early;
      await respond.finished();
      stage.note("late");
    },
    async run(stage) {
      assert.ok((await stage.exchange()).complete);
      await stage.until(() => stage.notes.length === 2, "the end");
      assert.deepEqual(stage.notes, ["early", "late"]);
    },
  },
  {
    clauses: ["6.6.4"],
    title: "finished rejects when the response fails, and the rejection can be ignored",
    app: (stage) => (_request, respond) => {
      void respond.finished();
      respond.finished().catch((error: Error) => stage.note(error.message));
      const writer = respond(200);
      writer
        .write("first")
        .then(() => writer.destroy(new Error("given up")))
        .catch(() => {});
    },
    async run(stage) {
      assert.equal((await stage.exchange()).complete, false);
      await stage.until(() => stage.notes.length > 0, "the end");
      assert.deepEqual(stage.notes, ["given up"]);
    },
  },
];

const bareCases: readonly Case[] = [
  ...Object.entries({
    string: "content" as ResponseBody,
    bytes: Buffer.from("content"),
    none: null,
  }).map(
    ([kind, body]): Case => ({
      clauses: ["6.7.1"],
      title: `HEAD gets the fields of GET without the content: ${kind}`,
      app: respondWith(200, { "x-a": "b", "content-type": "text/plain" }, body),
      async run(stage) {
        const get = await stage.exchange();
        const head = await stage.exchange({ method: "HEAD" });
        const comparable = ({ rawHeaders }: { rawHeaders: readonly string[] }): string[] =>
          rawHeaders.filter((_text, index) => rawHeaders[index - (index % 2)]?.toLowerCase() !== "date");
        assert.deepEqual(comparable(head), comparable(get));
        assert.equal(head.content.length, 0);
      },
    }),
  ),
  {
    clauses: ["6.7.1"],
    title: "HEAD gets the length of a file",
    app: (stage) => async (_request, respond) => respond(200, null, { file: await stage.file("0123456789") }),
    async run(stage) {
      const head = await stage.exchange({ method: "HEAD" });
      assert.deepEqual([head.headers["content-length"], head.content.length], ["10", 0]);
    },
  },
  ...[204, 205, 304].map(
    (status): Case => ({
      clauses: ["6.7.2"],
      title: `${status} has no content, whatever the app passes`,
      app: () => async (request, respond) => {
        if (request.path === "/text") respond(status, null, "content");
        else if (request.path === "/null") respond(status, null, null);
        else if (request.path === "/pieces") respond(status, null, generate());
        else if (request.path === "/pending") respond(status);
        else if (request.path === "/declared") respond(status, { "content-length": 7 }, "content");
        else {
          const writer = respond(status);
          await writer.write("content");
          await writer.end("more");
        }
      },
      async run(stage) {
        for (const target of ["/text", "/null", "/pieces", "/pending", "/declared", "/writer"]) {
          const answer = await stage.exchange({ target });
          assert.deepEqual([target, answer.status, answer.content.length], [target, status, 0]);
          assert.deepEqual(values(answer.rawHeaders, "transfer-encoding"), []);
          if (status === 204) assert.deepEqual(values(answer.rawHeaders, "content-length"), []);
          if (status === 205) assert.deepEqual(values(answer.rawHeaders, "content-length"), ["0"]);
        }
        assert.deepEqual(stage.errors, []);
      },
    }),
  ),
  {
    clauses: ["6.7.2", "13.1"],
    title: "the next response follows directly after one without content",
    wire: true,
    app: () => (request, respond) => respond(Number(request.path.slice(1)), null, "content"),
    async run(stage) {
      const client = await stage.open();
      for (const status of [204, 205, 304, 200]) client.send(`GET /${status} HTTP/1.1\r\nHost: a\r\n\r\n`);
      for (const status of [204, 205, 304, 200]) assert.equal((await client.response()).status, status);
    },
  },
];

export const answerLengthCases: readonly Case[] = [...lengthCases, ...onceCases, ...bareCases];
