/** The signal for long responses: what aborts it, and that it does not outlive its request. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ClientGone } from "../../src/errors.ts";
import { endSignal } from "../../src/gateway/end-signal.ts";
import type { Handler, WorkerInfo } from "../../src/gateway/types.ts";
import { type FetchEnvironment, fromFetch, toFetch } from "../../src/interop/fetch.ts";
import { inject } from "../../src/interop/testing.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Ends its response when the signal aborts, and notes the reason. */
function waiting(reasons: unknown[], begun: () => void): Handler {
  return (request, respond) => {
    const ends = endSignal(request, respond);
    const writer = respond(200);
    ends.addEventListener("abort", () => {
      reasons.push(ends.reason);
      void writer.end("over");
    });
    void writer.flush().then(begun, begun);
  };
}

test("endSignal aborts when the worker drains", async () => {
  const reasons: unknown[] = [];
  let begun = (): void => {};
  const beginning = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const app = toFetch(waiting(reasons, begun));
  const response = await app(new Request("http://a/"));
  await beginning;
  const closed = app.close();
  assert.equal(await response.text(), "over");
  await closed;
  assert.deepEqual(
    reasons.map((reason) => (reason as Error).name),
    ["AbortError"],
  );
});

test("endSignal aborts when the client disconnects", async () => {
  const reasons: unknown[] = [];
  const client = new AbortController();
  const answer = inject(
    waiting(reasons, () => client.abort()),
    { signal: client.signal },
  );
  await answer;
  assert.ok(reasons[0] instanceof ClientGone, String(reasons));
});

test("endSignal has aborted if one of the two signals has", async () => {
  let worker: WorkerInfo | undefined;
  const app = toFetch({
    startup: (given) => {
      worker = given;
    },
    handle: (request, respond) => {
      const { aborted, reason } = endSignal(request, respond);
      respond(200, null, JSON.stringify([aborted, reason === request.worker.drain.reason]));
    },
  });
  await app.close();
  assert.equal(worker?.drain.aborted, true);
  assert.deepEqual(await (await app(new Request("http://a/"))).json(), [true, true]);
});

test("endSignal does not abort once the response is complete", async () => {
  let ends: AbortSignal | undefined;
  const app = toFetch((request, respond) => {
    ends = endSignal(request, respond);
    respond(200, null, "whole");
  });
  await (await app(new Request("http://a/"))).text();
  await app.close();
  assert.equal(ends?.aborted, false);
});

test("a fetch app gets endSignal in its environment, the same on each read", async () => {
  const app = toFetch(
    fromFetch((_request, environment: FetchEnvironment) => {
      const { ends } = environment;
      return Response.json([ends === environment.ends, ends instanceof AbortSignal, ends.aborted]);
    }),
  );
  assert.deepEqual(await (await app(new Request("http://a/"))).json(), [true, true, false]);
  await app.close();
});

test("endSignal leaves no listener on the worker's signal, and is collected with its request", async () => {
  let drain: AbortSignal | undefined;
  const signals: WeakRef<AbortSignal>[] = [];
  const app = toFetch((request, respond) => {
    drain = request.worker.drain;
    const ends = endSignal(request, respond);
    // As a timer or a database client with this signal does.
    ends.addEventListener("abort", () => respond.sent);
    signals.push(new WeakRef(ends));
    respond(200, null, "whole");
  });
  for (let count = 0; count < 200; count++) await (await app(new Request("http://a/"))).text();
  await turn();
  assert.deepEqual(getEventListeners(drain as AbortSignal, "abort"), []);
  const deadline = Date.now() + 10_000;
  // The last one may still be on the stack of its caller.
  while (signals.filter((signal) => signal.deref() !== undefined).length > 1) {
    assert.ok(Date.now() < deadline, "the signals are still there");
    // An object that has just been accessed is kept until the turn is over.
    await turn();
    collectGarbage();
  }
  await app.close();
});
