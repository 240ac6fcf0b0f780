import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeTarget, type ListenTarget, parseListenCall } from "../../src/adopt/listen-call.ts";

const callback = (): void => {};
const tcp = (port: number, host?: string): ListenTarget => ({ type: "tcp", port, host });

describe("the arguments of listen()", () => {
  const cases: [name: string, args: unknown[], target: ListenTarget | undefined][] = [
    ["nothing", [], tcp(0)],
    ["a callback", [callback], tcp(0)],
    ["undefined and a callback, as with process.env.PORT", [undefined, callback], tcp(0)],
    ["null", [null], tcp(0)],
    ["a port", [3000], tcp(3000)],
    ["a port as text", ["3000"], tcp(3000)],
    ["a port and a callback", [3000, callback], tcp(3000)],
    ["a port and a host", [3000, "127.0.0.1", callback], tcp(3000, "127.0.0.1")],
    ["a port, a host and a backlog", [3000, "::1", 511, callback], tcp(3000, "::1")],
    ["a port and a backlog", [3000, 511], tcp(3000)],
    ["a path", ["/run/app.sock", callback], { type: "path", path: "/run/app.sock" }],
    ["a relative path", ["app.sock"], { type: "path", path: "app.sock" }],
    ["options", [{ port: 3000, host: "0.0.0.0", backlog: 5 }, callback], tcp(3000, "0.0.0.0")],
    ["options with a port as text", [{ port: "3000" }], tcp(3000)],
    ["options with an undefined port", [{ port: undefined }], tcp(0)],
    ["options with a path", [{ path: "/run/app.sock" }], { type: "path", path: "/run/app.sock" }],
    ["a descriptor", [{ fd: 3 }, callback], { type: "descriptor", fd: 3 }],
    // Node judges these.
    ["a port out of range", [65_536], undefined],
    ["a fraction", [{ port: 1.5 }], undefined],
    ["blank text", [{ port: " " }], undefined],
    ["a negative descriptor", [{ fd: -1 }], undefined],
    ["a handle", [{ _handle: {} }], undefined],
    ["empty options", [{}], undefined],
  ];

  for (const [name, args, target] of cases) {
    test(name, () => assert.deepEqual(parseListenCall(args)?.target, target));
  }

  test("the callback is the last argument, if that is a function", () => {
    assert.equal(parseListenCall([3000, callback])?.callback, callback);
    assert.equal(parseListenCall([callback])?.callback, callback);
    assert.equal(parseListenCall([{ port: 3000 }])?.callback, undefined);
  });

  test("the signal is one of the options", () => {
    const { signal } = new AbortController();
    assert.equal(parseListenCall([{ port: 3000, signal }])?.signal, signal);
  });
});

test("a target is named for messages", () => {
  assert.equal(describeTarget(tcp(3000)), "port 3000");
  assert.equal(describeTarget(tcp(3000, "::1")), "port 3000 of ::1");
  assert.equal(describeTarget({ type: "path", path: "/run/app.sock" }), "/run/app.sock");
});
