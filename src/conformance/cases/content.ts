/** Section 6.4: the content of an answer. */
import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { pathToFileURL } from "node:url";
import type { ResponseBody } from "../../gateway/types.ts";
import type { Case, Stage } from "../stage.ts";
import { generate, refused, respondWith, turns } from "./shared.ts";

const CONTENTS: { readonly [kind: string]: () => ResponseBody } = {
  "a string": () => "gr\u00fc\u00dfe",
  "a Uint8Array": () => new TextEncoder().encode("gr\u00fc\u00dfe"),
  "a Buffer": () => Buffer.from("gr\u00fc\u00dfe"),
  "a Readable": () => Readable.from([Buffer.from("gr\u00fc"), Buffer.from("\u00dfe")]),
  "a Readable of strings": () => Readable.from(["gr\u00fc", "\u00dfe"]),
  "a ReadableStream": () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from("gr\u00fc\u00dfe"));
        controller.close();
      },
    }),
  "a Blob": () => new Blob(["gr\u00fc", "\u00dfe"]),
  "an async iterable": generate,
  "a sync iterable": () => ["gr\u00fc", Buffer.from("\u00dfe")],
};

const BAD_CONTENTS: readonly unknown[] = [
  ...[42, true, {}, Symbol("x"), () => "x", new Date(0)],
  ...[new URL("file:///etc/hostname"), Promise.resolve("x"), new ArrayBuffer(8), new Response("x")],
];

function watched(stage: Stage, size: number): AsyncIterable<Uint8Array> & { asked: number } {
  const source = {
    asked: 0,
    [Symbol.asyncIterator]: () => ({
      next: async (): Promise<IteratorResult<Uint8Array>> => {
        source.asked += 1;
        return { done: false, value: Buffer.alloc(size) };
      },
      return: async (): Promise<IteratorResult<Uint8Array>> => {
        stage.note("released");
        return { done: true, value: undefined };
      },
    }),
  };
  return source;
}

const contentCases: readonly Case[] = [
  ...Object.entries(CONTENTS).map(
    ([kind, content]): Case => ({
      clauses: ["6.4.1"],
      title: `content can be ${kind}`,
      app: () => (_request, respond) => respond(200, null, content()),
      async run(stage) {
        const answer = await stage.exchange();
        assert.equal(answer.content.toString(), "gr\u00fc\u00dfe");
        assert.ok(answer.complete);
      },
    }),
  ),
  {
    clauses: ["6.4.1", "6.5.1"],
    title: "content can be null",
    app: respondWith(200, null, null),
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.length, answer.headers["content-length"]], [0, "0"]);
    },
  },
  ...BAD_CONTENTS.map((content) =>
    refused(["6.4.1"], `content cannot be ${typeof content} ${String(content)}`, (_request, respond) =>
      respond(200, null, content as string),
    ),
  ),
  {
    clauses: ["6.4.2", "6.4.4"],
    title: "a slow client pauses the source, and one that disconnects closes it",
    wire: true,
    app: (stage) => (_request, respond) => {
      const source = watched(stage, 65536);
      stage.note(source);
      respond(200, null, source);
    },
    async run(stage) {
      const client = await stage.open();
      client.socket.pause();
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await stage.until(() => stage.notes.length > 0, "the request");
      const source = stage.notes[0] as { asked: number };
      // Waits until the count is unchanged for many turns of the loop: then the server waits for the client.
      let last = -1;
      for (let still = 0; still < 3000; still += 1) {
        if (source.asked !== last) still = 0;
        last = source.asked;
        assert.ok(last < 1024, "the source is read without room");
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.close();
      await stage.until(() => stage.notes.includes("released"), "the source to be released");
    },
  },
  {
    clauses: ["6.4.3"],
    title: "a first piece that is neither a string nor bytes causes a 500",
    app: () => (_request, respond) => respond(200, null, [42] as unknown as string[]),
    async run(stage) {
      const answer = await stage.exchange();
      assert.ok(answer.status === 500 || !answer.complete);
      await stage.until(() => stage.errors.length === 1, "the report");
    },
  },
  {
    clauses: ["6.4.3", "11.3"],
    title: "a source that fails halfway aborts the connection",
    app: () => (_request, respond) => {
      const source = async function* (): AsyncGenerator<string> {
        yield "first";
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
        throw new Error("the disk is gone");
      };
      respond(200, null, source());
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.equal(answer.complete, false);
      await stage.until(() => stage.errors.length === 1, "the report");
    },
  },
  {
    clauses: ["6.4.3", "11.1"],
    title: "a source that fails at once causes a 500",
    app: () => (_request, respond) => {
      const source = new Readable({
        read() {
          this.destroy(new Error("no such row"));
        },
      });
      respond(200, null, source);
    },
    async run(stage) {
      assert.equal((await stage.exchange()).status, 500);
      await stage.until(() => stage.errors.length === 1, "the report");
    },
  },
  ...["iterable", "readable", "web"].map(
    (kind): Case => ({
      clauses: ["6.4.4", "6.7.1"],
      title: `HEAD does not read a source and closes it: ${kind}`,
      app: (stage) => (_request, respond) => {
        if (kind === "iterable") respond(200, null, watched(stage, 1));
        if (kind === "readable") {
          respond(200, null, new Readable({ read() {}, destroy: () => void stage.note("released") }));
        }
        if (kind === "web") {
          respond(200, null, new ReadableStream({ cancel: () => void stage.note("released") }));
        }
      },
      async run(stage) {
        const answer = await stage.exchange({ method: "HEAD" });
        assert.deepEqual([answer.status, answer.content.length], [200, 0]);
        await stage.until(() => stage.notes.length > 0, "the source to be released");
      },
    }),
  ),
];

const fileCases: readonly Case[] = [
  {
    clauses: ["6.4.1", "6.4.5", "6.5.1"],
    title: "a file is sent whole or in part, by path or by handle, which stays open",
    app: (stage) => async (request, respond) => {
      const path = await stage.file("0123456789");
      if (request.path === "/whole") respond(200, null, { file: path });
      else if (request.path === "/url") respond(200, null, { file: pathToFileURL(path) });
      else if (request.path === "/part") respond(206, null, { file: path, offset: 2, length: 3 });
      else {
        const file = await open(path);
        respond(206, null, { file, offset: 7 });
        await respond.finished();
        // The server may close it after the answer as well.
        await turns(5);
        stage.note(await file.stat().then(({ size }) => size, String));
        await file.close();
      }
    },
    async run(stage) {
      for (const [target, expected] of [
        ["/whole", "0123456789"],
        ["/url", "0123456789"],
        ["/part", "234"],
        ["/handle", "789"],
      ] as const) {
        const answer = await stage.exchange({ target });
        assert.equal(answer.content.toString(), expected);
        assert.equal(answer.headers["content-length"], String(expected.length));
      }
      await stage.until(() => stage.notes.length > 0, "the handle");
      assert.deepEqual(stage.notes, [10]);
    },
  },
  {
    clauses: ["6.4.5"],
    title: "a file larger than any buffer is sent completely",
    app: (stage) => async (_request, respond) => {
      const path = await stage.file(Buffer.alloc(3_000_000, "0123456789"));
      respond(200, null, { file: path });
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.ok(answer.content.equals(Buffer.alloc(3_000_000, "0123456789")));
    },
  },
  ...[
    { file: "/nonexistent/file" },
    { file: "/" },
    { offset: 11 },
    { offset: 5, length: 6 },
    { offset: -1 },
  ].map(
    (part): Case => ({
      clauses: ["6.4.5", "11.1"],
      title: `${JSON.stringify(part)} of a file of 10 bytes causes a 500`,
      app: (stage) => async (_request, respond) => {
        respond(200, null, { file: await stage.file("0123456789"), ...part });
      },
      async run(stage) {
        assert.equal((await stage.exchange()).status, 500);
        await stage.until(() => stage.errors.length === 1, "the report");
      },
    }),
  ),
];

export const answerContentCases: readonly Case[] = [...contentCases, ...fileCases];
