/** `deriveRespond`: changes of the head and the content, in whichever way an app responds, and the rest left alone. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AnswerChanges, compose, deriveRespond, piecesOf } from "../../src/gateway/index.ts";
import { lint } from "../../src/gateway/lint.ts";
import type { Handler, Middleware } from "../../src/gateway/types.ts";
import { inject } from "../../src/interop/testing.ts";

const changing =
  (changes: AnswerChanges): Middleware =>
  (next) =>
  (request, respond) =>
    next(request, deriveRespond(respond, changes));

/** Upper case, piece by piece. */
const loud = changing({
  body: async function* (content) {
    for await (const piece of piecesOf(content))
      yield typeof piece === "string" ? piece.toUpperCase() : Buffer.from(piece).toString().toUpperCase();
  },
});

describe("deriveRespond", () => {
  test("lets both sides conform, in every way to respond", async () => {
    const ways: Handler = async (request, respond) => {
      if (request.path === "/whole") return respond(200, { "x-a": "1" }, "text");
      if (request.path === "/none") return respond(200, null, null);
      if (request.path === "/status") return respond(204, null, null);
      if (request.path === "/blob") return respond(200, null, new Blob(["te", "xt"]));
      const writer = respond(200);
      await writer.write("te");
      await writer.end(Buffer.from("xt"), { "x-sum": "4" });
    };
    const checked = compose(lint, loud, lint)(ways);
    for (const path of ["/whole", "/blob", "/writer"]) {
      const answer = await inject(checked, { path });
      assert.deepEqual([answer.text(), answer.errors], ["TEXT", []], path);
    }
    assert.equal((await inject(checked, { path: "/writer" })).trailers["x-sum"], "4");
    assert.equal((await inject(checked, { path: "/none" })).text(), "");
    assert.equal((await inject(checked, { path: "/status" })).status, 204);
  });

  test("changes status and fields before anything is sent, checked as the app's own", async () => {
    const app: Handler = (_request, respond) => respond(200, [["X-A", "1"]], "text");
    const { status, rawHeaders } = await inject(
      changing({
        head: (head) => {
          head.status = 201;
          head.headers.set("x-a", "2");
          head.headers.append("Set-Cookie", "a=b");
          head.headers.append("Set-Cookie", "c=d");
          head.headers.addToList("Vary", "Origin");
          head.headers.addToList("vary", "origin");
        },
      })(app),
    );
    assert.equal(status, 201);
    assert.deepEqual(rawHeaders.slice(0, 8), [
      "x-a",
      "2",
      "Set-Cookie",
      "a=b",
      "Set-Cookie",
      "c=d",
      "Vary",
      "Origin",
    ]);
    const split = await inject(changing({ head: ({ headers }) => headers.set("x-b", "a\r\nb: c") })(app));
    assert.equal(split.status, 500);
    assert.match(split.errors[0]?.message ?? "", /invalid value/);
  });

  test("keeps the pace of the client, and tells the writer of a failure", async () => {
    const notes: string[] = [];
    const app: Handler = async (_request, respond) => {
      const writer = respond(200);
      await writer.write("one");
      notes.push("taken");
      await writer.write("two").catch((error: Error) => notes.push(error.message));
      await writer.end().catch((error: Error) => notes.push(error.message));
    };
    const failing = changing({
      body: async function* (content) {
        for await (const piece of piecesOf(content)) {
          yield piece;
          throw new Error("no more");
        }
      },
    });
    await assert.rejects(inject(failing(app)), /no more/);
    assert.equal(notes[0], "taken");
    assert.ok(notes.includes("no more"), String(notes));
  });

  test("a second answer is refused as it is, and destroy gives up", async () => {
    const twice: Handler = (_request, respond) => {
      respond(200, null, "once");
      assert.throws(() => respond(200, null, "twice"), { name: "GatewayError" });
      assert.equal(respond.sent, true);
    };
    assert.equal((await inject(loud(twice))).text(), "ONCE");
    const giving: Handler = (_request, respond) => respond(200).destroy(new Error("given up"));
    assert.equal((await inject(loud(giving))).status, 500);
  });

  test("a wrapper made with Object.assign is caught by lint", async () => {
    const copied: Middleware = (next) => (request, respond) => {
      const copy = (...args: Parameters<typeof respond>) =>
        (respond as (...given: unknown[]) => unknown)(...args);
      return next(request, Object.assign(copy, respond) as typeof respond);
    };
    const app: Handler = (_request, respond) => respond(200, null, "text");
    const { errors } = await inject(compose(copied, lint)(app));
    assert.match(errors[0]?.message ?? "", /respond\.sent is false after a response has begun/);
  });
});
