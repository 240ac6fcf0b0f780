/** Lint reports each violation by a server or an app, with its clause. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { GatewayError } from "../../src/errors.ts";
import { compose } from "../../src/gateway/compose.ts";
import { derive } from "../../src/gateway/derive.ts";
import { lint } from "../../src/gateway/lint.ts";
import type { App, GatewayRequest, Handler, Respond } from "../../src/gateway/types.ts";
import { inject } from "../../src/interop/testing.ts";
import { workerInfo } from "../../src/interop/worker-info.ts";

/** The clause of the error that an app gets. */
async function clauseOf(handler: Handler, options: Parameters<typeof inject>[1] = {}): Promise<string> {
  const { errors, status } = await inject(lint(handler), options);
  const [error] = errors;
  assert.ok(error instanceof GatewayError, `no GatewayError but ${String(error)} and ${status}`);
  return error.clause.replace("section ", "");
}

describe("violations by the app", () => {
  const breaches: { clause: string; what: string; handler: Handler; options?: object }[] = [
    { clause: "6.2.1", what: "a status below 200", handler: (_r, respond) => respond(102, null, "x") },
    {
      clause: "6.2.1",
      what: "a status that is a string",
      handler: (_r, respond) => respond("200" as never, null, "x"),
    },
    {
      clause: "6.3",
      what: "a header that splits the response",
      handler: (_r, respond) => respond(200, { a: "b\nc" }, "x"),
    },
    {
      clause: "6.3.4",
      what: "framing",
      handler: (_r, respond) => respond(200, { "Transfer-Encoding": "x" }, "x"),
    },
    {
      clause: "6.3.4",
      what: "keep-alive",
      handler: (_r, respond) => respond(200, { connection: "keep-alive" }, "x"),
    },
    {
      clause: "6.4.1",
      what: "a number as content",
      handler: (_r, respond) => respond(200, null, 5 as never),
    },
    {
      clause: "6.4.1",
      what: "an object as content",
      handler: (_r, respond) => respond(200, null, {} as never),
    },
    {
      clause: "6.5.2",
      what: "a wrong length",
      handler: (_r, respond) => respond(200, { "content-length": 3 }, "x"),
    },
    {
      clause: "6.6.1",
      what: "a second response",
      handler: (_r, respond) => {
        respond(200, null, "x");
        respond(200, null, "y");
      },
    },
    {
      clause: "7.2",
      what: "a piece that is a number",
      handler: (_r, respond) => respond(200).write(5 as never),
    },
    {
      clause: "7.4",
      what: "a piece after the end",
      handler: async (_r, respond) => {
        const writer = respond(200);
        await writer.end("x");
        await writer.write("y");
      },
    },
    {
      clause: "7.6",
      what: "destroy without an Error",
      handler: (_r, respond) => respond(200).destroy("x" as never),
    },
    { clause: "8.2", what: "an informational 200", handler: (_r, respond) => respond.informational(200) },
    {
      clause: "9.3",
      what: "an upgrade that was not requested",
      handler: (_r, respond) => void respond.upgrade({ upgrade: "x" }),
    },
    {
      clause: "10.3",
      what: "a framing field as a trailer",
      handler: (_r, respond) => respond(200).end("x", { "content-type": "text/plain" }),
    },
    {
      clause: "5.4.1",
      what: "a limit that is a string",
      handler: async (request) => void (await request.body.text({ limit: "1mb" as never })),
      options: { method: "POST", body: "x" },
    },
    {
      clause: "4.1.1",
      what: "a member that is set",
      handler: (request) => {
        (request as { path: string }).path = "/other";
      },
    },
  ];
  for (const { clause, what, handler, options } of breaches) {
    test(`${clause}: ${what}`, async () => {
      assert.equal(await clauseOf(handler, options), clause);
    });
  }
});

describe("violations by the server", () => {
  /** Changes the server's request before lint checks it. */
  const server =
    (changes: (request: GatewayRequest) => object): ((next: Handler) => Handler) =>
    (next) =>
    (request, respond) =>
      next(derive(request, changes(request)), respond);
  const bare = (fields: object): object => Object.assign(Object.create(null), fields);
  const requests: { clause: string; what: string; changes: (request: GatewayRequest) => object }[] = [
    { clause: "4.1.1", what: "no host", changes: () => ({ host: undefined }) },
    { clause: "4.2.1", what: "a method that is not a token", changes: () => ({ method: "GET /" }) },
    { clause: "4.2.1", what: "a target with a space", changes: () => ({ target: "/a b" }) },
    { clause: "4.2.2", what: "a path without a slash", changes: () => ({ path: "a" }) },
    { clause: "4.2.2", what: "a path with the query", changes: () => ({ path: "/?a" }) },
    { clause: "4.2.3", what: "a query that was not sent", changes: () => ({ query: "a=b" }) },
    { clause: "4.2.4", what: "a root path with a trailing slash", changes: () => ({ rootPath: "/app/" }) },
    { clause: "4.2.5", what: "an unknown version", changes: () => ({ httpVersion: "3.0" as "2.0" }) },
    { clause: "4.3.1", what: "odd raw fields", changes: () => ({ rawHeaders: ["Host"] }) },
    {
      clause: "4.3.2",
      what: "fields with a prototype",
      changes: (request) => ({ headers: { ...request.headers } }),
    },
    { clause: "4.3.2", what: "upper-case names", changes: () => ({ headers: bare({ Host: "localhost" }) }) },
    {
      clause: "4.3.3",
      what: "a field that was not sent",
      changes: (r) => ({ headers: bare({ ...r.headers, a: "b" }) }),
    },
    { clause: "4.4.1", what: "an unknown scheme", changes: () => ({ scheme: "https:" }) },
    { clause: "4.4.3", what: "an address instead of an endpoint", changes: () => ({ remote: "127.0.0.1" }) },
    {
      clause: "4.4.3",
      what: "a port that is a string",
      changes: () => ({ peer: { family: "ipv4", address: "127.0.0.1", port: "80" } }),
    },
    { clause: "4.4.5", what: "an empty id", changes: () => ({ id: "" }) },
    {
      clause: "4.5.1",
      what: "a worker without drain",
      changes: () => ({ worker: { pid: 1, slot: 1, generation: 1 } }),
    },
    { clause: "4.5.2", what: "draining that differs from the worker's", changes: () => ({ draining: true }) },
    { clause: "4.6.1", what: "an upgrade that was not requested", changes: () => ({ upgrade: true }) },
    { clause: "12.1", what: "no signal", changes: () => ({ signal: undefined }) },
    { clause: "12.4", what: "no extend", changes: () => ({ extend: undefined }) },
    {
      clause: "5.1.4",
      what: "a body without json",
      changes: (r) => ({ body: { ...methodsOf(r), json: undefined } }),
    },
  ];
  for (const { clause, what, changes } of requests) {
    test(`${clause}: ${what}`, async () => {
      let reached = false;
      const app: Handler = (_request, respond) => {
        reached = true;
        respond(200, null, "x");
      };
      const { errors } = await inject(compose(server(changes), (next) => lint(next))(app));
      assert.equal((errors[0] as GatewayError).clause, `section ${clause}`);
      assert.ok(!reached, "the app was called all the same");
    });
  }

  function methodsOf({ body }: GatewayRequest): object {
    const { bytes, text, json, stream, web } = body;
    return { bytes, text, json, stream, web, length: 0, used: false, [Symbol.asyncIterator]: () => body };
  }

  /** Makes an app call a `respond` that violates the contract. */
  const answered = async (change: (respond: Respond) => object, app: Handler): Promise<string> => {
    const wrong: (next: Handler) => Handler = (next) => (request, respond) => {
      const rest = {
        informational: () => {},
        upgrade: () => {},
        finished: () => Promise.resolve(),
        sent: true,
      };
      const changed = Object.assign(
        (...args: Parameters<Respond>) => respond(...args),
        rest,
        change(respond),
      );
      return next(request, changed as unknown as Respond);
    };
    const { errors } = await inject(compose(wrong, (next) => lint(next))(app), { requestTimeout: 50 });
    return (errors[0] as GatewayError | undefined)?.clause ?? "nothing";
  };

  test("6.6.2: sent stays false", async () => {
    const app: Handler = (_request, respond) => respond(200, null, "x");
    assert.equal(await answered(() => ({ sent: false }), app), "section 6.6.2");
  });

  test("6.6.4: finished is not a function, or returns no promise", async () => {
    const app: Handler = (_request, respond) => void respond.finished();
    assert.equal(await answered(() => ({ finished: undefined }), app), "section 6.6.4");
    assert.equal(await answered(() => ({ finished: () => true }), app), "section 6.6.4");
  });

  test("5.1.3: a body that looks complete too early", async () => {
    const short = derive as unknown as typeof derive;
    const cut: (next: Handler) => Handler = (next) => (request, respond) => {
      const body = new Proxy(request.body, {
        get: (target, name) => {
          if (name === "length") return 100;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      return next(short(request, { body }), respond);
    };
    for (const read of [
      (request: GatewayRequest) => request.body.bytes(),
      async (request: GatewayRequest) => {
        for await (const _piece of request.body);
      },
    ]) {
      const app: Handler = async (request, respond) => {
        await read(request);
        respond(200, null, "x");
      };
      const answer = await inject(compose(cut, (next) => lint(next))(app), { method: "POST", body: "short" });
      assert.equal((answer.errors[0] as GatewayError).clause, "section 5.1.3");
    }
  });

  test("3.1.1: a handler called with one argument", () => {
    const linted = lint(() => {}) as unknown as (request: object) => void;
    assert.throws(() => linted({}), { name: "GatewayError", clause: "section 3.1.1" });
  });

  test("3.3: startup, requests and shutdown out of order", async () => {
    const worker = workerInfo({ slot: 1, generation: 1, drain: new AbortController().signal });
    const make = (): Required<Pick<App, "handle" | "startup" | "shutdown">> =>
      lint({
        startup: async () => {},
        handle: (_request, respond) => respond(200, null, "x"),
        shutdown: () => {},
      }) as Required<Pick<App, "handle" | "startup" | "shutdown">>;
    const twice = make();
    await twice.startup(worker);
    await assert.rejects(async () => twice.startup(worker), { clause: "section 3.3.1" });
    const early = make();
    const starting = early.startup(worker);
    assert.throws(() => early.handle({} as never, {} as never), { clause: "section 3.3.1" });
    await starting;
    await early.shutdown(undefined);
    await assert.rejects(async () => early.shutdown(undefined), { clause: "section 3.3.3" });
    assert.throws(() => early.handle({} as never, {} as never), { clause: "section 3.3.1" });
    await assert.rejects(async () => make().startup({ ...worker, slot: "1" } as never), {
      clause: "section 4.5.1",
    });
    await assert.rejects(async () => make().shutdown(undefined), { clause: "section 3.3.3" });
  });

  test("3.2.1: a value that is not an app", () => {
    for (const app of [undefined, 5, {}, { handle: "x" }, { handle: () => {}, startup: 5 }]) {
      assert.throws(() => lint(app as never), { name: "GatewayError", clause: "section 3.2.1" });
    }
  });
});

describe("warnings", () => {
  const warningsOf = async (
    handler: Handler,
    options: Parameters<typeof inject>[1] = {},
  ): Promise<string[]> => {
    const warnings: string[] = [];
    await inject(lint(handler, { warn: (message) => warnings.push(message) }), options).catch(() => {});
    return warnings;
  };

  test("a response that is returned instead of sent", async () => {
    const handler = (async () => new Response("x")) as unknown as Handler;
    const [warning] = await warningsOf(handler, { requestTimeout: 20 });
    assert.match(warning ?? "", /GET "\/" .*returned \[object Response\].*section 3\.1\.2/);
  });

  test("content for a status that has none", async () => {
    assert.match((await warningsOf((_r, respond) => respond(204, null, "x")))[0] ?? "", /section 6\.7\.2/);
    assert.deepEqual(await warningsOf((_r, respond) => respond(204, null, null)), []);
  });

  test("a response after the handler has failed", async () => {
    const warnings = await warningsOf((_request, respond) => {
      setImmediate(() => assert.throws(() => respond(200, null, "x"), GatewayError));
      throw new Error("failed");
    });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    assert.match(warnings[0] ?? "", /section 11\.1/);
  });

  test("warnings are process warnings by default", async () => {
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    await inject(lint((_request, respond) => respond(204, null, "x")));
    assert.equal((await warned).name, "GatewayWarning");
  });

  test("a respond or a writer that is dropped", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    const running = [
      inject(
        lint(async () => {}, { warn }),
        { path: "/never", requestTimeout: 3000 },
      ),
      inject(
        lint((_request, respond) => void respond(200), { warn }),
        { path: "/writer", requestTimeout: 3000 },
      ),
    ];
    const deadline = Date.now() + 2500;
    while (warnings.length < 2 && Date.now() < deadline) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(warnings.find((text) => text.includes("/never")) ?? "", /section 6\.6\.1/);
    assert.match(warnings.find((text) => text.includes("/writer")) ?? "", /section 7\.3/);
    await Promise.all(running);
  });

  test("no warning for a conforming app", async () => {
    const handler: Handler = async (request, respond) => {
      respond.informational(103, { link: "</a>" });
      const writer = respond(200, { "x-a": ["b", "c"] });
      await writer.write(await request.body.text());
      await writer.end("!", { "x-sum": "1" });
    };
    assert.deepEqual(await warningsOf(handler, { method: "POST", body: "x" }), []);
  });
});

test("lint works anywhere in a composition", async () => {
  const session: (next: Handler) => Handler = (next) => (request, respond) =>
    next(derive(request, { state: { user: "ada" } }), respond);
  const app: Handler<{ user: string }> = (request, respond) => respond(200, null, request.state.user);
  const answer = await inject(compose(session, (next) => lint(next))(app as Handler));
  assert.equal(answer.text(), "ada");
});
