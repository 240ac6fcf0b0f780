/** Section 12: the signal, and time. */
import assert from "node:assert/strict";
import type { Case } from "../stage.ts";
import { GET, turns } from "./shared.ts";

const signalCases: readonly Case[] = [
  {
    clauses: ["12.1"],
    title: "the signal aborts when the client disconnects",
    wire: true,
    app: (stage) => async (request, respond) => {
      stage.note(request.signal.aborted);
      await new Promise((resolve) => request.signal.addEventListener("abort", resolve, { once: true }));
      stage.note((request.signal.reason as Error).name);
      respond(200, null, "nobody");
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await stage.until(() => stage.notes.length > 0, "the request");
      client.close();
      await stage.until(() => stage.notes.length > 1, "the abort");
      assert.deepEqual(stage.notes, [false, "ClientGone"]);
    },
  },
  {
    clauses: ["12.1"],
    title: "a signal that is first read after the client disconnected has aborted",
    wire: true,
    app: (stage) => async (request, respond) => {
      stage.note("called");
      await respond.finished().catch(() => {});
      stage.note([request.signal.aborted, (request.signal.reason as Error).name]);
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await stage.until(() => stage.notes.length > 0, "the request");
      client.reset();
      await stage.until(() => stage.notes.length > 1, "the end");
      assert.deepEqual(stage.notes[1], [true, "ClientGone"]);
    },
  },
  {
    clauses: ["12.1"],
    title: "a client that closes its sending side gets its response",
    wire: true,
    app: (stage) => async (request, respond) => {
      if (!request.signal.aborted) {
        await new Promise((resolve) => request.signal.addEventListener("abort", resolve, { once: true }));
      }
      stage.note((request.signal.reason as Error).name);
      await new Promise((resolve) => setImmediate(resolve));
      const writer = respond(200);
      await writer.write("all ");
      await writer.end("the same");
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      client.socket.end();
      const answer = await client.response();
      assert.deepEqual([answer.content.toString(), answer.complete], ["all the same", true]);
      assert.deepEqual(stage.notes, ["ClientGone"]);
    },
  },
  {
    clauses: ["12.2"],
    title: "the signal does not abort after the response",
    wire: true,
    app: (stage) => (request, respond) => {
      const { signal } = request;
      respond(200, null, "complete");
      stage.note(signal);
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await client.response();
      client.close();
      await client.until(() => client.ended, "the end of the connection");
      await stage.exchange();
      assert.equal((stage.notes[0] as AbortSignal).aborted, false);
    },
  },
  {
    clauses: ["12.2"],
    title: "the end of the response does not abort the signal",
    app: (stage) => async (request, respond) => {
      stage.note(request.signal);
      respond(200, null, "complete");
      await respond.finished();
    },
    async run(stage) {
      await stage.exchange();
      await turns(3);
      assert.equal((stage.notes[0] as AbortSignal).aborted, false);
    },
  },
];

const timeCases: readonly Case[] = [
  {
    clauses: ["12.3", "6.1.3"],
    title: "a response that takes too long becomes a 503, and a later one is discarded",
    options: { requestTimeout: 50 },
    app: (stage) => async (request, respond) => {
      await new Promise((resolve) => request.signal.addEventListener("abort", resolve, { once: true }));
      stage.note((request.signal.reason as Error).name);
      try {
        await respond(200).end("late");
      } catch (error) {
        stage.note(error instanceof Error);
      }
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.status, answer.complete], [503, true]);
      await stage.until(() => stage.notes.length > 0, "the abort");
      assert.equal(stage.notes[0], "RequestAborted");
      assert.equal(stage.errors.length, 1);
    },
  },
  {
    clauses: ["12.3"],
    title: "a response that has begun does not time out",
    options: { requestTimeout: 50 },
    app: () => async (request, respond) => {
      const writer = respond(200);
      await writer.write("begun ");
      // Longer than the timeout, by the same clock.
      const start = performance.now();
      while (performance.now() - start < 150) await new Promise((resolve) => setImmediate(resolve));
      await writer.end(request.signal.aborted ? "aborted" : "and ended");
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "begun and ended");
    },
  },
  {
    clauses: ["12.4"],
    title: "a request can extend its timeout",
    options: { requestTimeout: 50 },
    app: () => async (request, respond) => {
      request.extend(request.path === "/endless" ? Number.POSITIVE_INFINITY : 10_000);
      const start = performance.now();
      while (performance.now() - start < 150) await new Promise((resolve) => setImmediate(resolve));
      respond(200, null, "in time");
      request.extend(1);
    },
    async run(stage) {
      for (const target of ["/", "/endless"]) {
        assert.equal((await stage.exchange({ target })).content.toString(), "in time");
      }
      assert.deepEqual(stage.errors, []);
    },
  },
  {
    clauses: ["12.4"],
    title: "extend refuses an invalid time, and does nothing if there is no timeout",
    app: (stage) => (request, respond) => {
      for (const milliseconds of [0, -1, Number.NaN, "5s" as unknown as number]) {
        try {
          request.extend(milliseconds);
          stage.note("taken");
        } catch (error) {
          stage.note((error as Error).name);
        }
      }
      request.extend(1);
      setImmediate(() => respond(200, null, "unbounded"));
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "unbounded");
      assert.deepEqual(stage.notes, Array(4).fill("GatewayError"));
    },
  },
];

export const signalAndTimeCases: readonly Case[] = [...signalCases, ...timeCases];
