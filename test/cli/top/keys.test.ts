/** From bytes to keys, and what keys do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeKeys } from "../../../src/cli/top/keys.ts";
import { type Command, type Effect, initialState, type TopState, watch } from "../../../src/cli/top/state.ts";
import { update } from "../../../src/cli/top/update.ts";
import { SAMPLE_TIME, statsSample, workerSample } from "../../support/stats-sample.ts";

const decodings: [input: string, keys: string[], rest?: string][] = [
  ["", []],
  ["jR", ["j", "R"]],
  ["\x1b[A\x1b[B", ["up", "down"]],
  ["\x1bOA", ["up"]],
  ["\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["page-up", "page-down", "home", "end"]],
  ["\x03\x1a\x0c\r\x7f", ["ctrl-c", "ctrl-z", "ctrl-l", "enter", "backspace"]],
  // Keys without a meaning: F5, Ctrl-Up, a mouse report, Ctrl-A. None of their bytes is a key of its own.
  ["\x1b[15~\x1b[1;5A\x1b[<0;12;3M\x01", []],
  ["\x1bR", ["escape", "R"]],
  ["é東👍🏽", ["é", "東", "👍", "🏽"]],
  ["x\x1b", ["x"], "\x1b"],
  ["\x1b[", [], "\x1b["],
  ["\x1b[1;", [], "\x1b[1;"],
  ["\x1b\x1b[A", ["escape", "up"]],
  ["\x1b[200~Rystop\x1b[201~q", ["q"]],
  ["a\x1b[200~Ry", ["a"], "\x1b[200~Ry"],
];

for (const [input, keys, rest = ""] of decodings) {
  test(`${JSON.stringify(input)} is ${JSON.stringify(keys)}`, () => {
    assert.deepEqual(decodeKeys(input), { keys, rest });
    if (rest !== "") return;
    // However the input is divided, the keys are the same.
    let held = "";
    const found: string[] = [];
    for (const unit of [...input]) {
      const decoded = decodeKeys(held + unit);
      found.push(...decoded.keys);
      held = decoded.rest;
    }
    assert.deepEqual([...found, ...decodeKeys(held, true).keys], keys);
  });
}

test("an ESC after which nothing comes is the key; the end of a long paste is found", () => {
  assert.deepEqual(decodeKeys("\x1b", true), { keys: ["escape"], rest: "" });
  const { keys, rest } = decodeKeys(`\x1b[200~${"R".repeat(10_000)}`);
  assert.deepEqual(keys, []);
  assert.ok(rest.length < 100);
  assert.deepEqual(decodeKeys(`${rest}y\x1b[201~q`), { keys: ["q"], rest: "" });
});

const SOCKET = "/x.ctl";

function watching(): TopState {
  const server = watch({ pid: 4711, name: "shop", folder: "/srv/shop", controlSocket: SOCKET }, SAMPLE_TIME);
  const state = { ...initialState({ columns: 120, rows: 20 }, 1000, SAMPLE_TIME), server };
  return update(state, { type: "stats", controlSocket: SOCKET, stats: statsSample() }).state;
}

/** Presses keys one after the other; returns all that is to be done. */
function press(state: TopState, ...keys: string[]): { state: TopState; effects: Effect[] } {
  const effects: Effect[] = [];
  for (const key of keys) {
    const step = update(state, { type: "key", key });
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

function commands(effects: readonly Effect[]): Command[] {
  return effects.flatMap((effect) => (effect.type === "command" ? [effect.command] : []));
}

test("only y confirms what stops workers", () => {
  for (const [key, path] of [
    ["R", "/reload"],
    ["r", "/workers/4712/restart"],
    ["-", "/scale"],
  ] as const) {
    const asked = press(watching(), key);
    assert.deepEqual(asked.effects, [], key);
    assert.ok(asked.state.question !== undefined);
    for (const other of ["n", "q", "enter", "escape", "R", " "]) {
      const { state, effects } = press(asked.state, other);
      assert.deepEqual(effects, [], `${key} ${other}`);
      assert.equal(state.question, undefined);
      assert.equal(state.notice?.text, "nothing was changed");
    }
    assert.deepEqual(
      commands(press(asked.state, "y").effects).map((each) => each.path),
      [path],
    );
    assert.deepEqual(press(asked.state, "ctrl-c").effects, [{ type: "quit" }]);
  }
});

test("plus scales at once, and counts on from what was asked for", () => {
  const { state, effects } = press(watching(), "+", "+", "=");
  assert.deepEqual(
    commands(effects).map(({ body }) => body),
    [{ workers: 5 }, { workers: 6 }, { workers: 7 }],
  );
  // One outcome says nothing about the others; after all of them the server's own number counts again.
  const one = update(state, { type: "outcome", id: 1, text: "ok", style: "good" }).state;
  assert.equal(one.server?.wanted, 7);
  const rest = [2, 3].reduce(
    (before, id) => update(before, { type: "outcome", id, text: "ok", style: "good" }).state,
    one,
  );
  assert.equal(rest.server?.wanted, undefined);
  assert.deepEqual(rest.running, []);
});

test("minus asks about the number that further keys change; below zero there is none", () => {
  const { state } = press(watching(), "-", "-");
  assert.match(state.question?.text ?? "", /from 4 down to 2 workers\?/);
  assert.deepEqual(commands(press(state, "y").effects)[0]?.body, { workers: 2 });
  const none = press(watching(), "-", "-", "-", "-");
  assert.match(none.state.question?.text ?? "", /down to 0 workers; nothing will serve\?/);
  assert.deepEqual(press(none.state, "-", "y").effects, []);
  // Up again, past what runs now: no question is left.
  assert.deepEqual(commands(press(watching(), "-", "+").effects), []);
});

test("the selection is of a worker, follows its slot when it is replaced, and stays with sorting", () => {
  const { state } = press(watching(), "j", "j", "down", "k");
  assert.equal(state.server?.selection?.pid, 118_230);
  assert.match(press(state, ">", ">", ">", ">", "r").state.question?.text ?? "", /worker 118230/);
  const workers = [workerSample(0), workerSample(2, { pid: 200_000 }), workerSample(5)];
  const replaced = update(state, {
    type: "stats",
    controlSocket: SOCKET,
    stats: statsSample({ workers }),
  }).state;
  assert.match(press(replaced, "r").state.question?.text ?? "", /worker 200000/);
  const { state: end } = press(replaced, "G", "down");
  assert.equal(end.server?.selection?.slot, 5);
  assert.equal(press(end, "g", "up").state.server?.selection?.slot, 0);
});

test("sorting walks over the columns that are shown, in both directions", () => {
  assert.equal(press(watching(), "<").state.server?.sort, "exit");
  assert.equal(press(watching(), ">").state.server?.sort, "pid");
  const narrow = update(watching(), { type: "resize", size: { columns: 60, rows: 20 } }).state;
  assert.equal(press(narrow, "<").state.server?.sort, "memory");
});

test("panels open, scroll and close; q leaves a panel first", () => {
  const opened = press(watching(), "i");
  assert.deepEqual(opened.effects, [{ type: "refresh" }]);
  assert.equal(opened.state.panel?.kind, "requests");
  for (const key of ["escape", "q", "i", "enter"]) {
    const { state, effects } = press(opened.state, key);
    assert.equal(state.panel, undefined, key);
    assert.deepEqual(effects, []);
    assert.deepEqual(press(state, "q").effects, [{ type: "quit" }]);
  }
  assert.equal(press(opened.state, "l").state.panel?.kind, "log");
  // The stack is another one each time.
  assert.deepEqual(press(watching(), "s", "s").effects, [{ type: "refresh" }, { type: "refresh" }]);
  // An answer for a panel that is open no more changes nothing.
  const late = update(press(watching(), "l").state, {
    type: "panel",
    kind: "requests",
    pid: undefined,
    lines: [],
  });
  assert.equal(late.state.panel?.lines, undefined);
});

test("Enter goes into a server, Esc back to the list; one without a socket says so", () => {
  const listed = {
    name: "shop",
    folder: "/srv/shop",
    state: "serving",
    generation: 1,
    workers: { ready: 1, target: 1 },
    uptime: 1,
    requestsPerSecond: 0,
    p99: null,
    app: "app.ts",
    addresses: "",
  };
  const servers = [
    { ...listed, pid: 1, controlSocket: "/1.ctl" },
    { ...listed, pid: 2, controlSocket: undefined },
  ];
  const list = update(initialState({ columns: 80, rows: 20 }, 1000, 0), { type: "servers", servers }).state;
  const inside = press(list, "enter");
  assert.equal(inside.state.server?.controlSocket, "/1.ctl");
  assert.deepEqual(inside.effects, [{ type: "refresh" }]);
  const back = press(inside.state, "escape");
  assert.equal(back.state.server, undefined);
  const without = press(back.state, "j", "enter").state;
  assert.equal(without.server, undefined);
  assert.match(without.notice?.text ?? "", /\(pid 2\) has no control socket/);
  // No key of a server does anything in the list.
  assert.deepEqual(press(list, "R", "y", "+", "r", "p", "i").effects, []);
});

test("an answer of a server that is watched no more changes nothing", () => {
  const before = watching();
  const { state } = update(before, { type: "unanswered", controlSocket: "/other.ctl", problem: "no answer" });
  assert.equal(state, before);
});

test("no key does anything without figures, except those of the screen", () => {
  const server = watch({ pid: 1, name: "shop", folder: "/", controlSocket: SOCKET }, 0);
  const empty = { ...initialState({ columns: 80, rows: 20 }, 1000, 0), server };
  for (const key of ["+", "-", "r", "p", "s", "j", "G"]) assert.deepEqual(press(empty, key).effects, [], key);
  assert.deepEqual(press(empty, "q").effects, [{ type: "quit" }]);
});
