/** Section 11: errors. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { HttpError } from "../../errors.ts";
import type { Handler } from "../../gateway/types.ts";
import type { Case } from "../stage.ts";
import { GET } from "./shared.ts";

const THROWS: { readonly [how: string]: () => Handler } = {
  "a throw": () => () => {
    throw new Error("secret detail");
  },
  "a rejection": () => async () => {
    throw new Error("secret detail");
  },
  "a rejected thenable": () => () => {
    const then = (_resolve: unknown, reject: (error: Error) => void): void =>
      reject(new Error("secret detail"));
    return { then } as unknown as Promise<void>;
  },
  "a throw behind a writer that sent nothing": () => (_request, respond) => {
    respond(200, { "x-a": "b" });
    throw new Error("secret detail");
  },
};

const throwCases: readonly Case[] = [
  ...Object.entries(THROWS).map(
    ([how, app]): Case => ({
      clauses: ["11.1", "11.2", "11.4"],
      title: `${how} before the head causes a 500 without details, reported once with the id`,
      app: (stage) => (request, respond) => {
        stage.note(request.id);
        return app()(request, respond);
      },
      async run(stage) {
        const answer = await stage.exchange();
        assert.deepEqual([answer.status, answer.complete], [500, true]);
        const text = `${answer.content.toString()}${answer.rawHeaders.join()}`;
        assert.ok(!text.includes("secret"), text);
        assert.equal(answer.headers["x-a"], undefined);
        assert.deepEqual(
          stage.errors.map(({ error, id }) => [error.message, id]),
          [["secret detail", stage.notes[0]]],
        );
      },
    }),
  ),
  {
    clauses: ["11.1", "11.2"],
    title: "an HttpError causes a response with its status",
    app: () => async () => {
      throw new HttpError(429, "secret detail");
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.equal(answer.status, 429);
      assert.ok(!answer.content.toString().includes("secret"));
    },
  },
  ...[
    { what: "an HttpError from another copy of the class", name: "HttpError", status: 418, answered: 418 },
    { what: "a BodyError from another copy of the class", name: "BodyError", status: 413, answered: 413 },
    { what: "an HttpError with a success status", name: "HttpError", status: 204, answered: 500 },
    { what: "an HttpError without a status", name: "HttpError", status: undefined, answered: 500 },
    { what: "another error with a status", name: "Error", status: 418, answered: 500 },
  ].map(
    ({ what, name, status, answered }): Case => ({
      clauses: ["11.1"],
      title: `${what} causes a ${answered}`,
      app: () => () => {
        throw Object.assign(new Error("secret detail"), { name, status });
      },
      async run(stage) {
        assert.equal((await stage.exchange()).status, answered);
        assert.deepEqual(
          stage.errors.map(({ error }) => error.message),
          ["secret detail"],
        );
      },
    }),
  ),
  {
    clauses: ["11.1"],
    title: "new HttpError with a status that is not an error throws a RangeError, which causes a 500",
    app: () => () => {
      throw new HttpError(200, "secret detail");
    },
    async run(stage) {
      assert.equal((await stage.exchange()).status, 500);
      assert.deepEqual(
        stage.errors.map(({ error }) => error.name),
        ["RangeError"],
      );
    },
  },
  {
    clauses: ["11.1", "6.7.1"],
    title: "the 500 for HEAD has no content",
    app: () => () => {
      throw new Error("failed");
    },
    async run(stage) {
      const answer = await stage.exchange({ method: "HEAD" });
      assert.deepEqual([answer.status, answer.content.length], [500, 0]);
    },
  },
  ...[
    { title: "chunks", headers: {} },
    { title: "a length", headers: { "content-length": "100" } },
  ].map(
    ({ title, headers }): Case => ({
      clauses: ["11.3", "11.4"],
      title: `an exception after the head, with ${title}, does not look like a complete response`,
      app: () => async (_request, respond) => {
        await respond(200, headers as { [name: string]: string }).write("looks fine so far");
        throw new Error("half way");
      },
      async run(stage) {
        assert.equal((await stage.exchange()).complete, false);
        await stage.until(() => stage.errors.length > 0, "the report");
        assert.equal(stage.errors.length, 1);
      },
    }),
  ),
  {
    clauses: ["11.3"],
    title: "an exception inside content that ends with the connection does not look like a complete response",
    wire: true,
    app: (stage) => async (_request, respond) => {
      await respond(200).write("looks fine so far");
      await stage.until(() => stage.notes.includes("received"), "the client to have it");
      throw new Error("half way");
    },
    async run(stage) {
      const client = await stage.open();
      client.send("GET / HTTP/1.0\r\n\r\n");
      await client.until(() => client.received.endsWith("looks fine so far"), "the first piece");
      stage.note("received");
      assert.equal((await client.response()).complete, false);
    },
  },
  {
    clauses: ["11.5"],
    title: "an exception after the response is reported and does not affect it",
    app: () => async (_request, respond) => {
      respond(200, null, "complete");
      throw new Error("afterwards");
    },
    async run(stage) {
      const answer = await stage.exchange();
      assert.deepEqual([answer.status, answer.content.toString()], [200, "complete"]);
      await stage.until(() => stage.errors.length === 1, "the report");
      assert.equal(stage.errors[0]?.error.message, "afterwards");
    },
  },
  ...[undefined, null, "text", 0].map(
    (thrown): Case => ({
      clauses: ["11.6"],
      title: `throwing ${JSON.stringify(thrown)} is handled as an error`,
      app: () => (request, respond) => {
        if (request.path === "/fine") respond(200, null, "fine");
        else throw thrown;
      },
      async run(stage) {
        assert.equal((await stage.exchange()).status, 500);
        assert.equal(stage.errors.length, 1);
        assert.equal((await stage.exchange({ target: "/fine" })).status, 200);
      },
    }),
  ),
  {
    clauses: ["11.4"],
    title: "a client that disconnects is not an error of the app",
    wire: true,
    app: (stage) => async (_request, respond) => {
      const writer = respond(200);
      try {
        for (;;) {
          await writer.write("more");
          stage.notes[0] = "written";
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        stage.note("over");
      }
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await stage.until(() => stage.notes.length > 0, "the first write");
      client.reset();
      // The rejection of write passes through the handler to the server.
      await stage.until(() => stage.notes.includes("over"), "the handler to fail");
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(stage.errors, []);
    },
  },
  {
    clauses: ["11.4"],
    title: "Node's wrapper of the signal's reason is not an error of the app",
    wire: true,
    app: (stage) => async (request) => {
      stage.note("called");
      try {
        await pause(60_000, undefined, { signal: request.signal });
      } catch (error) {
        stage.note((error as Error).name);
        throw error;
      }
    },
    async run(stage) {
      const client = await stage.open();
      client.send(GET);
      await stage.until(() => stage.notes.length > 0, "the call");
      client.socket.end();
      await stage.until(() => stage.notes.includes("AbortError"), "the signal");
      assert.equal((await client.response()).status, 500);
      assert.deepEqual(stage.errors, []);
    },
  },
];

export const errorCases: readonly Case[] = [...throwCases];
