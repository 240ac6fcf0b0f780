/** Section 3: handlers, app objects, their lifecycle, middleware. */
import assert from "node:assert/strict";
import { compose } from "../../gateway/compose.ts";
import { derive } from "../../gateway/derive.ts";
import type { App, Handler, Middleware, WorkerInfo } from "../../gateway/types.ts";
import type { Case } from "../stage.ts";

interface Opening {
  open: boolean;
}

/** An app that is an instance of a class: its methods need their `this`. */
class Shop implements App<Opening> {
  readonly #note: (value: unknown) => void;

  constructor(note: (value: unknown) => void) {
    this.#note = note;
  }

  async startup(worker: WorkerInfo): Promise<Opening> {
    this.#note("startup begins");
    await new Promise((resolve) => setImmediate(resolve));
    this.#note(typeof worker.pid === "number" && worker.drain instanceof AbortSignal ? "startup" : worker);
    return { open: true };
  }

  handle(...[request, respond]: Parameters<Handler<Opening>>): void {
    this.#note("handle");
    this.#note(request.state);
    respond(200, null, "shop");
  }

  async shutdown(state: Opening): Promise<void> {
    this.#note("shutdown");
    this.#note(state);
  }
}

export const applicationCases: readonly Case[] = [
  {
    clauses: ["3.1.1"],
    title: "a handler is called once per request, with two arguments",
    app:
      (stage) =>
      (...args: Parameters<Handler>) => {
        stage.note(args.length);
        args[1](200, null, "once");
      },
    async run(stage) {
      assert.equal((await stage.exchange()).status, 200);
      assert.deepEqual(stage.notes, [2]);
    },
  },
  {
    clauses: ["3.1.2"],
    title: "the value of a returned promise or thenable is ignored",
    app: () => (request, respond) => {
      respond(200, null, "answered");
      if (request.path === "/promise") return Promise.resolve({ status: 404 }) as unknown as Promise<void>;
      // biome-ignore lint/suspicious/noThenProperty: the case tests a thenable
      return { then: (resolve: (value: unknown) => void) => resolve(404) } as unknown as Promise<void>;
    },
    async run(stage) {
      assert.equal((await stage.exchange({ target: "/promise" })).content.toString(), "answered");
      assert.equal((await stage.exchange({ target: "/thenable" })).content.toString(), "answered");
      assert.deepEqual(stage.errors, []);
    },
  },
  {
    clauses: ["3.1.3"],
    title: "a handler that returns nothing can respond later",
    app: () => (_request, respond) => {
      setImmediate(() => setImmediate(() => respond(200, null, "late")));
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "late");
    },
  },
  {
    clauses: ["3.1.3", "11.1", "11.4"],
    title: "a promise that resolves without an answer is an error",
    app: () => async () => {},
    async run(stage) {
      assert.equal((await stage.exchange()).status, 500);
      await stage.until(() => stage.errors.length > 0, "the error");
      assert.equal(stage.errors[0]?.error.name, "GatewayError");
      assert.equal(stage.errors.length, 1);
    },
  },
  {
    clauses: ["3.1.3"],
    title: "a promise may resolve before the answer that has begun is complete",
    app: () => async (_request, respond) => {
      const writer = respond(200);
      setTimeout(() => writer.end("later"), 10);
    },
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "later");
    },
  },
  {
    clauses: ["3.2.1", "3.3.1", "3.3.2", "3.3.3"],
    title: "an app starts before its first request, gets its state, and shuts down after its last response",
    app: (stage) => new Shop((value) => stage.note(value)) as App,
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "shop");
      await stage.subject.close();
      const state = stage.notes[3];
      assert.deepEqual(state, { open: true });
      assert.deepEqual(stage.notes, ["startup begins", "startup", "handle", state, "shutdown", state]);
      assert.equal(stage.notes[5], state);
    },
  },
  {
    clauses: ["3.3.1", "3.3.3"],
    title: "an app whose startup failed gets no requests and no shutdown",
    startError: "no database",
    app: (stage) => ({
      startup: () => {
        throw new Error("no database");
      },
      handle: (_request, respond) => {
        stage.note("handle");
        respond(200, null, "never");
      },
      shutdown: () => {
        stage.note("shutdown");
      },
    }),
    async run(stage) {
      // Such a server may respond with 503 or not start at all.
      const status = await stage.exchange().then(
        (answer) => answer.status,
        () => 503,
      );
      assert.equal(status, 503);
      await stage.subject.close();
      assert.deepEqual(stage.notes, []);
    },
  },
  {
    clauses: ["3.3.2"],
    title: "without startup the state is undefined",
    app: () => ({ handle: (request, respond) => respond(200, null, String(request.state)) }),
    async run(stage) {
      assert.equal((await stage.exchange()).content.toString(), "undefined");
    },
  },
  {
    clauses: ["3.5.2"],
    title: "middleware can change the request and observe the end of the response",
    app: (stage) => {
      const timed: Middleware = (next) => async (request, respond) => {
        await next(request, respond);
        await respond.finished();
        stage.note("finished");
      };
      const mounted: Middleware = (next) => (request, respond) => {
        const rootPath = `${request.rootPath}/api`;
        return next(derive(request, { rootPath, path: request.path.slice("/api".length) }), respond);
      };
      return compose(
        timed,
        mounted,
      )((request, respond) => {
        const { method, target, rootPath, path, query } = request;
        respond(200, null, [method, target, rootPath, path, query, request.headers.host].join(" "));
      });
    },
    async run(stage) {
      const answer = await stage.exchange({
        target: "/api/orders?page=2",
        headers: ["Host", "shop.example"],
      });
      assert.equal(answer.content.toString(), "GET /api/orders?page=2 /api /orders page=2 shop.example");
      await stage.until(() => stage.notes.length > 0, "the end of the answer");
    },
  },
];
