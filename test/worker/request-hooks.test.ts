/** The hooks around a request: what they run around, and who gets their errors. */
import assert from "node:assert/strict";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { test } from "node:test";
import type { Hooks, WorkerContext } from "../../src/config/hooks.ts";
import { inject } from "../../src/interop/testing.ts";
import type { LoadedNodeApp } from "../../src/loader/loaded-app.ts";
import { RequestHooks } from "../../src/worker/request-hooks.ts";
import { until } from "../support/command.ts";
import { FrameClient, POST, request, reset } from "../support/http2-frames.ts";
import { startHttp2Listener } from "../support/http2-listener.ts";

interface Stage {
  readonly hooks: RequestHooks;
  /** The messages logged as errors. */
  readonly logged: string[];
}

function stage(hooks: Partial<Hooks>): Stage {
  const logged: string[] = [];
  const log = { error: (message: string) => logged.push(message) };
  return { hooks: new RequestHooks(hooks, { log } as unknown as WorkerContext), logged };
}

/** Calls a wrapped node listener, and returns what the server gets from it. */
async function callListener(hooks: RequestHooks, listener: RequestListener): Promise<unknown> {
  const wrapped = hooks.aroundListener({ listener } as unknown as LoadedNodeApp).listener;
  const result: unknown = wrapped({} as IncomingMessage, {} as ServerResponse & { req: IncomingMessage });
  return result;
}

for (const [how, postRequest] of [
  [
    "throws",
    () => {
      throw new Error("no");
    },
  ],
  ["rejects", async () => Promise.reject(new Error("no"))],
] as const) {
  test(`a postRequest that ${how} is logged with the request and its id`, async () => {
    const { hooks, logged } = stage({ postRequest });
    const app = hooks.around({ handle: (_request, respond) => respond(200, {}, "ok") });
    const { status } = await inject(app.handle, { path: "/a?b", ...proxied("req-1") });
    assert.equal(status, 200);
    await new Promise(setImmediate);
    assert.deepEqual(logged, ["The hook postRequest failed for GET /a?b (req-1)"]);
  });
}

test("the server gets the failure of preRequest, and logs it with the request's id", async () => {
  const failing = async () => Promise.reject(new Error("no"));
  const { hooks, logged } = stage({ preRequest: failing });
  let called = false;
  const run = callListener(hooks, () => {
    called = true;
  });
  await assert.rejects(run, { name: "PreRequestError", message: "the hook preRequest failed" });
  assert.equal(called, false);
  assert.deepEqual(logged, []);
});

for (const [kind, preRequest] of [
  ["a synchronous", () => {}],
  ["an asynchronous", async () => {}],
] as const) {
  test(`the server gets the rejection of a node listener behind ${kind} preRequest`, async () => {
    const { hooks } = stage({ preRequest });
    const run = callListener(hooks, (async () => {
      throw new Error("the app's own");
    }) as unknown as RequestListener);
    await assert.rejects(run, { message: "the app's own" });
  });
}

function proxied(id: string) {
  const remote = { family: "ipv4", address: "127.0.0.1", port: 1 } as const;
  return { headers: { "x-request-id": id }, remote, forwardedAllowIps: ["127.0.0.1"] };
}

test("postRequest tells a response over HTTP/2 that was sent from one whose client has gone", async (context) => {
  const ended: (readonly [number | undefined, string | undefined])[] = [];
  const { hooks } = stage({
    postRequest: (_worker, _request, { status, error }) => void ended.push([status, error?.name]),
  });
  const listener: RequestListener = (asked, response) => {
    if (asked.method === "GET") response.end("ok");
    else response.write("begun");
  };
  const wrapped = hooks.aroundListener({ listener } as unknown as LoadedNodeApp).listener;
  const served = await startHttp2Listener(context, wrapped);
  const client = new FrameClient(await served.connect());
  client.send(request(1));
  await until("it has ended", () => ended.length === 1);
  client.send(request(3, POST, 4));
  await client.frame(0, 3);
  client.send(reset(3));
  await until("both have ended", () => ended.length === 2);
  assert.deepEqual(ended, [
    [200, undefined],
    [200, "ClientGone"],
  ]);
});
