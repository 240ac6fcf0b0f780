/** Sections 7, 8 and 10: the writer, informational responses, trailers of a response. */
import assert from "node:assert/strict";
import type { Handler, HeadersInput, ResponseWriter } from "../../../src/gateway/types.ts";
import { values } from "../exchange.ts";
import type { Case } from "../stage.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

async function nameOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "done",
    (error: Error) => error.name,
  );
}

const writingCases: readonly Case[] = [
  {
    clauses: ["7.1"],
    title: "nothing is sent before flush, which sends the head",
    wire: true,
    app: (stage) => async (_request, respond) => {
      const writer = respond(200, { "x-a": "b" });
      stage.note("begun");
      await stage.until(() => stage.notes.includes("flush"), "leave to flush");
      await writer.flush();
      await stage.until(() => stage.notes.includes("end"), "leave to end");
      await writer.end("content");
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await stage.until(() => stage.notes.includes("begun"), "the request");
      await turns(20);
      assert.equal(client.received, "");
      stage.note("flush");
      await client.until(() => client.received.includes("\r\n\r\n"), "the head");
      assert.match(client.received, /x-a: b/);
      stage.note("end");
      assert.equal((await client.response()).content.toString(), "content");
    },
  },
  {
    clauses: ["7.2"],
    title: "a piece is sent as soon as it is written",
    wire: true,
    app: (stage) => async (_request, respond) => {
      const writer = respond(200);
      await writer.write("gr\u00fc\u00dfe ");
      await stage.until(() => stage.notes.includes("on"), "leave to go on");
      await writer.write(new TextEncoder().encode("second"));
      await writer.end();
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await client.until(
        () => client.received.includes(Buffer.from("gr\u00fc\u00dfe").toString("latin1")),
        "a piece",
      );
      stage.note("on");
      assert.equal((await client.response()).content.toString(), "gr\u00fc\u00dfe second");
    },
  },
  {
    clauses: ["7.2"],
    title: "write waits for a slow client, and fails when it disconnects",
    wire: true,
    app: (stage) => async (_request, respond) => {
      const writer = respond(200);
      const chunk = Buffer.alloc(65536);
      try {
        for (let count = 1; ; count += 1) {
          stage.notes[0] = count;
          await writer.write(chunk);
        }
      } catch (error) {
        stage.note((error as Error).name);
      }
    },
    async run(stage) {
      const client = await stage.open();
      client.socket.pause();
      client.send(GET);
      await stage.until(() => stage.notes.length > 0, "the request");
      let last = -1;
      for (let still = 0; still < 3000; still += 1) {
        if (stage.notes[0] !== last) still = 0;
        last = stage.notes[0] as number;
        assert.ok(last < 1024, "the writer does not wait");
        await turns(1);
      }
      client.close();
      await stage.until(() => stage.notes.length > 1, "the writer to hear of it");
      assert.equal(stage.notes[1], "ClientGone");
      assert.deepEqual(stage.errors, []);
    },
  },
  {
    clauses: ["7.3", "6.5.1"],
    title: "a response that is ended at once is sent whole",
    app: (stage) => async (_request, respond) => {
      const writer = respond(200);
      await writer.end("at once");
      stage.note("ended");
      await respond.finished();
      stage.note("finished");
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.toString(), answer.headers["content-length"]], ["at once", "7"]);
      await stage.until(() => stage.notes.length === 2, "the end");
    },
  },
  {
    clauses: ["7.4"],
    title: "write and end after the end reject, and the response is unaffected",
    app: (stage) => async (_request, respond) => {
      const writer = respond(200);
      await writer.write("first ");
      await writer.end("last");
      stage.note(await nameOf(writer.write("more")));
      stage.note(await nameOf(writer.end("more")));
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.toString(), answer.complete], ["first last", true]);
      await stage.until(() => stage.notes.length === 2, "the rejections");
      assert.deepEqual(stage.notes, ["GatewayError", "GatewayError"]);
    },
  },
  {
    clauses: ["7.5", "13.1"],
    title: "an empty piece does not end the content",
    app: () => async (_request, respond) => {
      const writer = respond(200);
      await writer.write("a");
      await writer.write("");
      await writer.write(new Uint8Array(0));
      await writer.write("b");
      await writer.end("");
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.toString(), answer.complete], ["ab", true]);
    },
  },
  {
    clauses: ["7.6", "11.3"],
    title: "destroy after the head aborts the connection",
    app: () => async (_request, respond) => {
      const writer = respond(200);
      await writer.write("first");
      writer.destroy();
    },
    async run(stage) {
      assert.equal((await stage.exchange()).complete, false);
      await stage.until(() => stage.errors.length === 1, "the report");
    },
  },
  {
    clauses: ["7.6", "11.1"],
    title: "destroy before the head causes a 500",
    app: () => (_request, respond) => respond(200).destroy(new Error("given up")),
    async run(stage) {
      assert.equal((await stage.exchange()).status, 500);
      assert.equal(stage.errors[0]?.error.message, "given up");
    },
  },
  {
    clauses: ["7.7"],
    title: "unhandled rejections of the writer are not reported",
    app: (stage) => (_request, respond) => {
      const unhandled = (reason: unknown): void => void stage.note(reason);
      process.on("unhandledRejection", unhandled);
      const writer: ResponseWriter = respond(200);
      void writer.end("once");
      void writer.write("more");
      void writer.end("more");
      setImmediate(() => {
        setImmediate(() => {
          process.off("unhandledRejection", unhandled);
          stage.note("quiet");
        });
      });
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "once");
      await stage.until(() => stage.notes.length > 0, "the turns");
      assert.deepEqual(stage.notes, ["quiet"]);
    },
  },
];

const BAD_HINTS: readonly [number, HeadersInput][] = [
  [101, {}],
  [99, {}],
  [100, {}],
  [101, { upgrade: "echo" }],
  [200, {}],
  [Number.NaN, {}],
  [103.5, {}],
  [103, { link: "a\r\ninjected: b" }],
];

const informationalCases: readonly Case[] = [
  {
    clauses: ["8.1"],
    title: "any number of informational responses can precede the final one",
    app: () => (_request, respond) => {
      respond.informational(102);
      respond.informational(103, { link: ["</a>; rel=preload", "</b>; rel=preload"] });
      respond(200, null, "final");
    },
    async run(stage) {
      const answer = await stage.exchange();
      const [first, second] = answer.informational;
      assert.deepEqual([first?.status, second?.status], [102, 103]);
      assert.deepEqual(values(second?.rawHeaders ?? [], "link"), ["</a>; rel=preload", "</b>; rel=preload"]);
      assert.equal(answer.content.toString(), "final");
    },
  },
  {
    clauses: ["8.1"],
    title: "an informational response is sent at once",
    wire: true,
    app: (stage) => async (_request, respond) => {
      respond.informational(103, { link: "</a>" });
      await stage.until(() => stage.notes.includes("on"), "leave to go on");
      respond(200, null, "final");
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await client.until(() => /^HTTP\/1\.1 103 .*\r\n\r\n$/s.test(client.received), "103");
      stage.note("on");
      assert.equal((await client.response()).content.toString(), "final");
    },
  },
  {
    clauses: ["8.1"],
    title: "an informational response after the final head throws",
    app: (stage) => (_request, respond) => {
      respond(200, null, "final");
      try {
        respond.informational(103);
      } catch (error) {
        stage.note((error as Error).name);
      }
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.toString(), answer.informational.length], ["final", 0]);
      assert.deepEqual(stage.notes, ["GatewayError"]);
    },
  },
  ...BAD_HINTS.map(
    ([status, headers]): Case => ({
      clauses: ["8.2", "6.3.2"],
      title: `an informational ${status} with ${JSON.stringify(headers)} is refused`,
      app: (stage) => (_request, respond) => {
        try {
          respond.informational(status, headers);
        } catch (error) {
          stage.note((error as Error).name);
        }
        respond(200, null, "final");
      },
      async run(stage) {
        const answer = await stage.exchange();
        assert.deepEqual([answer.status, answer.informational.length], [200, 0]);
        assert.deepEqual(stage.notes, ["GatewayError"]);
      },
    }),
  ),
  {
    clauses: ["8.2"],
    title: "an informational response has no framing and connection fields",
    notUnderLint: "lint refuses such fields",
    app: () => (_request, respond) => {
      respond.informational(103, {
        "Content-Length": "5",
        "transfer-encoding": "chunked",
        connection: "close",
        "Keep-Alive": "timeout=9",
        "proxy-connection": "close",
        trailer: "x-sum",
        upgrade: "echo",
        Link: "</a>",
      });
      respond(200, null, "final");
    },
    async run(stage) {
      const answer = await stage.exchange();
      const [hints] = answer.informational;
      assert.deepEqual([hints?.status, hints?.rawHeaders], [103, ["Link", "</a>"]]);
      assert.equal(answer.content.toString(), "final");
    },
  },
  {
    clauses: ["8.3"],
    title: "an HTTP/1.0 client gets no informational response",
    app: () => (_request, respond) => {
      respond.informational(103, { link: "</a>" });
      respond(200, null, "final");
    },
    async run(stage) {
      const answer = await stage.exchange({ httpVersion: "1.0" });
      assert.deepEqual([answer.informational.length, answer.content.toString()], [0, "final"]);
    },
  },
];

const trailing: Handler = async (request, respond) => {
  const writer = respond(200, request.path === "/sized" ? { "content-length": "7" } : {});
  await writer.write("con");
  await writer.end("tent", { "X-Sum": "7", "x-list": ["a", "b"] });
};

const trailerCases: readonly Case[] = [
  {
    clauses: ["10.2"],
    title: "trailers are sent after chunks",
    app: () => trailing,
    async run(stage) {
      const answer = await stage.exchange();
      assert.equal(answer.content.toString(), "content");
      assert.deepEqual(values(answer.rawTrailers, "x-sum"), ["7"]);
      assert.deepEqual(values(answer.rawTrailers, "x-list"), ["a", "b"]);
    },
  },
  {
    clauses: ["10.2"],
    title: "trailers are sent even if nothing was written before",
    app: () => (_request, respond) => void respond(200).end(null, { "x-sum": "0" }),
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.content.length, values(answer.rawTrailers, "x-sum")], [0, ["0"]]);
    },
  },
  {
    clauses: ["10.2"],
    title: "trailers are dropped if the response is not chunked",
    app: () => trailing,
    async run(stage) {
      const sized = await stage.exchange({ target: "/sized" });
      assert.deepEqual([sized.content.toString(), sized.rawTrailers], ["content", []]);
      const old = await stage.exchange({ httpVersion: "1.0" });
      assert.deepEqual([old.content.toString(), old.rawTrailers], ["content", []]);
      const head = await stage.exchange({ method: "HEAD" });
      assert.deepEqual([head.content.length, head.rawTrailers], [0, []]);
    },
  },
  ...["content-length", "Transfer-Encoding", "authorization", "set-cookie", "host", "x-a\r\ninjected"].map(
    (name): Case => ({
      clauses: ["10.3", "6.3.2"],
      title: `the trailer ${JSON.stringify(name)} is refused`,
      app: (stage) => async (_request, respond) => {
        const writer = respond(200);
        await writer.write("content");
        stage.note(await nameOf(writer.end(null, { [name]: "1" })));
        await writer.end();
      },
      async run(stage) {
        const answer = await stage.exchange();
        assert.deepEqual([answer.content.toString(), answer.rawTrailers], ["content", []]);
        assert.deepEqual(stage.notes, ["GatewayError"]);
      },
    }),
  ),
];

export const writerCases: readonly Case[] = [...writingCases, ...informationalCases, ...trailerCases];
