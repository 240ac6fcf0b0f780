import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fatal, load } from "../support/loading.ts";

const cwd = "frameworks";

describe("the kind of an app is detected", () => {
  const apps: [spec: string, what: string, body: string][] = [
    ["express", "Express app", "express"],
    ["koa", "Koa app", "koa"],
    ["koa:callback", "Koa callback", "koa"],
    ["fastify", "Fastify instance", "fastify"],
    ['fastify:create("made")', "Fastify instance", "made"],
    ["nest:create()", "Nest application", "nest"],
    ["http:server", "http.Server", "a bare listener"],
    ["http:listener", "node listener", "a bare listener"],
    ["hono", "fetch app", "hono"],
    ["hono:fetch", "fetch function", "a bare fetch function"],
  ];

  test("the app responds through the server of its kind", async () => {
    const results = await load(...apps.map(([spec]) => ({ spec, cwd })));
    for (const [index, [spec, what, body]] of apps.entries()) {
      const result = results[index];
      assert.equal(result?.what, what, `${spec}: ${JSON.stringify(result)}`);
      assert.equal(result?.answer?.status, 200);
      assert.equal(result?.answer?.body, body);
      assert.equal(result?.kind, what.startsWith("fetch") ? "gateway" : "node");
    }
  });

  test("upgrades go to an app that listens for them, also if it does so only during startup", async () => {
    const results = await load(
      { spec: "http:server", cwd },
      { spec: "http:upgrading", cwd },
      { spec: "fastify", cwd },
      { spec: 'fastify:create("made")', cwd },
    );
    assert.deepEqual(
      results.map((result) => result.answer?.upgrades),
      [false, true, true, false],
    );
  });

  test("an export that cannot be served is refused with advice", async () => {
    const refused: [string, string][] = [
      ["express:router", "express.js:router is an Express router, not an app: mount it with app.use()"],
      ["http:deaf", "http.js:deaf is an http.Server without a request listener: give createServer() one"],
    ];
    const results = await load(...refused.map(([spec]) => ({ spec, cwd })));
    for (const [index, [spec, message]] of refused.entries()) {
      assert.equal(fatal(results[index], spec).message, message);
    }
  });
});

describe("--interface decides ambiguous cases", () => {
  test("a bare function gets the given interface", async () => {
    const [node, fetched] = await load(
      { spec: "http:silent", cwd, interface: "node" },
      { spec: "hono:fetchWithMore", cwd, interface: "fetch" },
    );
    assert.equal(node?.what, "node listener");
    assert.equal(node?.answer?.body, "answered elsewhere");
    assert.equal(fetched?.what, "fetch function");
    assert.equal(fetched?.answer?.body, "two parameters");
  });

  test("without it the names of its parameters decide", async () => {
    const [node, fetched] = await load(
      { spec: "http:silent", cwd, ask: false },
      { spec: "hono:fetchWithMore", cwd, ask: false },
    );
    assert.equal(node?.what, "node listener");
    assert.equal(fetched?.what, "fetch function");
  });

  test("an object with both methods is a gateway app, unless its handle has a fetch signature", async () => {
    const [both, onlyFetch, forced] = await load(
      { spec: "both:gatewayToo", cwd },
      { spec: "both:fetchTwice", cwd },
      { spec: "both:gatewayToo", cwd, interface: "fetch" },
    );
    assert.deepEqual([both?.what, both?.answer?.body], ["gateway app", "handle"]);
    assert.deepEqual([onlyFetch?.what, onlyFetch?.answer?.body], ["fetch app", "fetch"]);
    assert.deepEqual([forced?.what, forced?.answer?.body], ["fetch app", "fetch"]);
  });

  test("an app of another interface is refused", async () => {
    const wrong: [spec: string, wanted: string, message: string][] = [
      [
        "express",
        "gateway",
        "express.js:app is an Express app, not of interface gateway: use --interface node or auto",
      ],
      [
        "fastify",
        "fetch",
        "fastify.js:app is a Fastify instance, not of interface fetch: use --interface node or auto",
      ],
      ["hono", "node", "hono.js:app is a fetch app, not of interface node: use --interface fetch or auto"],
      [
        "hono",
        "gateway",
        "hono.js:app is a fetch app, not of interface gateway: use --interface fetch or auto",
      ],
      [
        "both:gatewayOnly",
        "fetch",
        "both.js:gatewayOnly is a gateway app, not of interface fetch: use --interface gateway or auto",
      ],
    ];
    const results = await load(...wrong.map(([spec, wanted]) => ({ spec, cwd, interface: wanted })));
    for (const [index, [spec, , message]] of wrong.entries()) {
      assert.equal(fatal(results[index], spec).message, message);
    }
  });
});

test("a server of another kind than http is served as it is", async () => {
  const [raw] = await load({ spec: "http:raw", cwd, ask: false });
  assert.deepEqual([raw?.kind, raw?.what], ["server", "net.Server"]);
});
