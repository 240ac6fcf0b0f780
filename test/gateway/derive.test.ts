/** A derived request equals the original except for the changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { derive } from "../../src/gateway/derive.ts";
import { lint } from "../../src/gateway/lint.ts";
import type { GatewayRequest } from "../../src/gateway/types.ts";
import { inject } from "../../src/interop/testing.ts";

test("derive replaces the given members and keeps the rest, including methods and lazy members", async () => {
  const answer = await inject(
    async (request, respond) => {
      const derived = derive(request, { path: "/other", state: { user: "ada" } });
      derived.extend(1000);
      const values = [
        derived.path,
        derived.target,
        derived.state.user,
        derived.headers.host,
        derived.id === request.id,
      ];
      respond(
        200,
        null,
        JSON.stringify([...values, await derived.body.text(), "path" in derived, "x" in derived]),
      );
    },
    { method: "POST", path: "/one?two", body: "content" },
  );
  assert.deepEqual(answer.json(), ["/other", "/one?two", "ada", "localhost", true, "content", true, false]);
});

test("derive can replace a member with undefined", async () => {
  const answer = await inject({
    startup: () => "state",
    handle: (request, respond) => respond(200, null, String(derive(request, { state: undefined }).state)),
  });
  assert.equal(answer.text(), "undefined");
});

test("derive and lint keep a state that is a function unchanged", async () => {
  class Sql {}
  const sql = Object.assign(() => "rows", { options: { max: 10 }, Sql });
  const app = lint({
    startup: () => sql,
    handle: (request, respond) => {
      const { state } = derive(derive(request, { path: "/other" }), { rootPath: "/x" });
      respond(200, null, JSON.stringify([request.state === sql, state === sql, state.options.max, state()]));
    },
  });
  assert.deepEqual((await inject(app)).json(), [true, true, 10, "rows"]);
});

test("every member of a derived request returns the same value on each read", async () => {
  const answer = await inject((request, respond) => {
    const derived = derive(request, { path: "/other" });
    const { extend } = derived;
    extend(1000);
    const names = ["extend", "signal", "body", "headers", "worker", "constructor"] as const;
    const [once, again] = [0, 1].map(() => names.map((name) => derived[name]));
    respond(200, null, JSON.stringify(names.filter((_name, at) => once?.[at] !== again?.[at])));
  });
  assert.deepEqual(answer.json(), []);
});

/** A request as an app's test or another server may create it: a frozen plain object. */
function frozen(request: GatewayRequest): GatewayRequest {
  const members: Record<string, unknown> = { extend: request.extend.bind(request) };
  for (const name of Reflect.ownKeys(request) as string[]) members[name] = request[name as "method"];
  for (const name of Reflect.ownKeys(Object.getPrototypeOf(request)) as string[]) {
    if (name !== "constructor") members[name] ??= request[name as "method"];
  }
  return Object.freeze(members) as unknown as GatewayRequest;
}

test("a frozen request can be derived, and its own members can be changed", async () => {
  const answer = await inject((request, respond) => {
    const derived = derive(frozen(request), { method: "PUT", state: 1 });
    const again = derive(derived, { path: "/other" });
    derived.extend(1000);
    const values = [derived.method, derived.path, derived.state, again.method, again.path];
    respond(200, null, JSON.stringify([...values, { ...derived }.method, "method" in derived]));
  });
  assert.deepEqual(answer.json(), ["PUT", "/", 1, "PUT", "/other", "PUT", true]);
});

test("lint accepts a frozen request", async () => {
  const linted = lint(async (request, respond) => respond(200, null, await request.body.text()));
  const answer = await inject((request, respond) => linted(frozen(request), respond), {
    method: "POST",
    body: "content",
  });
  assert.deepEqual(answer.errors, []);
  assert.equal(answer.text(), "content");
});

test("a property that an app sets on a derived request is set on the original", async () => {
  const answer = await inject((request, respond) => {
    const derived = derive(request, { path: "/other" }) as GatewayRequest & { user?: string };
    derived.user = "ada";
    const { user } = request as typeof derived;
    const names = Object.keys(derived).includes("user");
    delete derived.user;
    respond(200, null, JSON.stringify([user, names, "user" in request]));
  });
  assert.deepEqual(answer.json(), ["ada", true, false]);
});
