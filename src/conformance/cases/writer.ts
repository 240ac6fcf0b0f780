/** Section 7: the writer. */
import assert from "node:assert/strict";
import type { ResponseWriter } from "../../gateway/types.ts";
import type { Case } from "../stage.ts";
import { GET, nameOf, turns } from "./shared.ts";

const writingCases: readonly Case[] = [
  {
    clauses: ["6.6.4"],
    title: "finished does not resolve before the end of the response",
    app: (stage) => async (_request, respond) => {
      const writer = respond(200);
      await writer.write("con");
      const finished = respond.finished().then(() => stage.note("finished"));
      await turns(3);
      stage.note("end");
      await writer.end("tent");
      await finished;
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "content");
      await stage.until(() => stage.notes.length === 2, "both");
      assert.deepEqual(stage.notes, ["end", "finished"]);
    },
  },
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

export const writerCases: readonly Case[] = [...writingCases];
