/** Composition of handlers and apps: the order, the life of each app, and answers that come late. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { compose, under } from "../../src/gateway/index.ts";
import type { App, Handler, Middleware } from "../../src/gateway/types.ts";
import { toNodeListener } from "../../src/interop/node.ts";
import { inject } from "../../src/interop/testing.ts";

const paths: Handler = (request, respond) =>
  respond(200, null, [request.rootPath, request.path, String(request.state)].join(" "));

/** An app that notes its life, and whose state is its name. */
function living(name: string, notes: string[], changes: Partial<App> = {}): App {
  return {
    handle: paths,
    startup: () => {
      notes.push(`${name} starts`);
      return name;
    },
    shutdown: (state) => {
      notes.push(`${String(state)} ends`);
    },
    ...changes,
  };
}

const named =
  (name: string, notes: string[]): Middleware =>
  (next) =>
  (request, respond) => {
    notes.push(name);
    return next(request, respond);
  };

describe("compose", () => {
  test("calls the first middleware first, and keeps a handler a handler", async () => {
    const notes: string[] = [];
    const composed = compose(named("a", notes), named("b", notes))(paths);
    assert.equal(typeof composed, "function");
    await inject(composed);
    assert.deepEqual(notes, ["a", "b"]);
  });

  test("keeps the life and the upgrades of an app, with its own this", async () => {
    const notes: string[] = [];
    class Shop implements App {
      readonly #name = "shop";
      startup = () => {
        notes.push(`${this.#name} starts`);
      };
      handle: Handler = (_request, respond) => respond(200, null, this.#name);
      upgrade: Handler = (_request, respond) => respond(426, null, this.#name);
      shutdown() {
        notes.push(`${this.#name} ends`);
      }
      onServerAnswer() {
        return { body: this.#name };
      }
    }
    const app = compose(named("seen", notes))(new Shop() as App);
    assert.equal((await inject(app)).text(), "shop");
    const asking = { connection: "upgrade", upgrade: "echo" };
    assert.equal((await inject(app, { headers: asking })).status, 426);
    const once = ["shop starts", "seen", "shop ends"];
    assert.deepEqual(notes, [...once, ...once]);
    const failing = { ...app, handle: () => Promise.reject(new Error("on purpose")) };
    assert.equal((await inject(failing)).text(), "shop");
  });

  test("an async middleware awaits an answer that comes after the handler has returned", async () => {
    const late: Handler = (_request, respond) => {
      setTimeout(() => respond(200, null, "late"), 10);
    };
    const waiting: Middleware = (next) => async (request, respond) => {
      await pause(1);
      await next(request, respond);
      assert.equal(respond.sent, true);
    };
    const { status, errors } = await inject(compose(waiting)(late));
    assert.deepEqual([status, errors], [200, []]);
  });

  test("a middleware that neither answers nor calls next is an error, at once", async () => {
    const lost: Middleware = () => async () => {};
    const { status, errors } = await inject(compose(lost)(paths));
    assert.equal(status, 500);
    assert.match(errors[0]?.message ?? "", /respond was not called.*section 3\.1\.3/);
  });
});

describe("under", () => {
  test("moves the prefix to the root path, and leaves other paths to the next app", async () => {
    const app = compose(under("/api", paths))(paths);
    for (const [path, expected] of [
      ["/api", "/api / undefined"],
      ["/api/orders?a=b", "/api /orders undefined"],
      ["/apis", " /apis undefined"],
      ["/", " / undefined"],
    ] as const)
      assert.equal((await inject(app, { path })).text(), expected, path);
    const mounted = await inject(app, { path: "/root/api/a", rootPath: "/root" });
    assert.equal(mounted.text(), "/root/api /a undefined");
  });

  test("serves without its start, as where a test gives the state", async () => {
    const app = compose(under("/api", paths))(paths);
    assert.equal((await inject(app, { path: "/api/a", state: undefined })).text(), "/api /a undefined");
  });

  test("starts each app once, gives each its state, and ends them in the opposite order", async () => {
    const notes: string[] = [];
    const listener = toNodeListener(
      compose(under("/a", living("a", notes)), under("/b", living("b", notes)))(living("rest", notes)),
    );
    await listener.ready;
    assert.deepEqual(notes.splice(0), ["rest starts", "b starts", "a starts"]);
    await listener.close();
    assert.deepEqual(notes, ["a ends", "b ends", "rest ends"]);
    const app = compose(
      under("/a", living("a", notes)),
      under("/b", living("b", notes)),
    )(living("rest", notes));
    assert.equal((await inject(app, { path: "/a/x" })).text(), "/a /x a");
    assert.equal((await inject(app, { path: "/b/x" })).text(), "/b /x b");
    assert.equal((await inject(app, { path: "/x" })).text(), " /x rest");
  });

  test("ends what has started if another app fails to start", async () => {
    const notes: string[] = [];
    const broken = living("broken", notes, { startup: () => Promise.reject(new Error("no database")) });
    await assert.rejects(inject(compose(under("/a", broken))(living("rest", notes))), /no database/);
    assert.deepEqual(notes, ["rest starts", "rest ends"]);
  });

  test("upgrades and the server's answers go to the app of the path", async () => {
    const failing = (name: string): App => ({
      handle: () => {
        throw new Error("on purpose");
      },
      upgrade: (_request, respond) => respond(426, null, name),
      onServerAnswer: () => ({ body: name }),
    });
    const app = compose(under("/a", failing("a")))(failing("rest"));
    const headers = { connection: "upgrade", upgrade: "echo" };
    for (const [path, name] of [
      ["/a/x", "a"],
      ["/x", "rest"],
    ] as const) {
      assert.equal((await inject(app, { path, headers })).text(), name);
      assert.equal((await inject(app, { path })).text(), name);
    }
  });

  test("a prefix that is none is refused", () => {
    for (const prefix of ["", "/", "api", "/api/", "/a?b"])
      assert.throws(() => under(prefix, paths), { name: "RangeError", message: /is not a prefix/ });
  });
});
