/** Frames at three widths, compared line by line with the files in `frames/`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { renderFrame, renderOnce } from "../../../src/cli/top/frame.ts";
import { requestLines } from "../../../src/cli/top/panel-lines.ts";
import { initialState, type ListedServer, type TopState, watch } from "../../../src/cli/top/state.ts";
import { type Line, lineWidth, paint } from "../../../src/cli/top/style.ts";
import { update } from "../../../src/cli/top/update.ts";
import type { StatsReport } from "../../../src/control/stats.ts";
import {
  ago,
  RATES_SAMPLE,
  REQUESTS_SAMPLE,
  SAMPLE_TIME,
  statsSample,
  workerSample,
} from "../../support/stats-sample.ts";

const SOCKET = "/run/shop/tsgun-4711.ctl";
const PLAIN = { hasStyles: false, hasColours: false, hasUnicode: true };

function watching(columns: number, rows: number, stats: StatsReport = statsSample()): TopState {
  const { name, folder, pid } = stats.server;
  const state = initialState({ columns, rows }, 1000, SAMPLE_TIME);
  const server = { ...watch({ pid, name, folder, controlSocket: SOCKET }, SAMPLE_TIME), rates: RATES_SAMPLE };
  return update({ ...state, server }, { type: "stats", controlSocket: SOCKET, stats }).state;
}

function pressing(state: TopState, ...keys: string[]): TopState {
  return keys.reduce((before, key) => update(before, { type: "key", key }).state, state);
}

function textOf(lines: readonly Line[]): string[] {
  return lines.map((line) => paint(line, PLAIN).trimEnd());
}

function compare(name: string, lines: readonly Line[]): void {
  const golden = readFileSync(join(import.meta.dirname, "frames", `${name}.txt`), "utf8")
    .split("\n")
    .slice(0, -1);
  for (const [index, line] of textOf(lines).entries())
    assert.equal(line, golden[index], `line ${index + 1} of ${name}`);
  assert.equal(lines.length, golden.length, `${name} has as many lines`);
}

/** A name as long and wide as one may be, and a reload in progress whose last one failed. */
const WIDE = statsSample({
  server: {
    ...statsSample().server,
    name: "東京の店-with-a-name-that-is-much-longer-than-most",
    state: "reloading",
    workers: { target: 4, ready: 3 },
  },
  lastReload: { ok: false, at: ago(12 * 60_000), duration: 900, error: "no database" },
  listeners: [
    { address: "http://127.0.0.1:8000", slot: null, backlog: 3, backlogLimit: 2048 },
    { address: "unix:/run/shop.sock", slot: null, backlog: 1900, backlogLimit: 2048 },
  ],
});

for (const columns of [150, 100, 60]) {
  test(`the table at ${columns} columns`, () => {
    compare(`table-${columns}`, renderFrame(watching(columns, 14)));
  });

  test(`a wide name, the second worker selected by errors, and a question at ${columns} columns`, () => {
    const sorts = columns === 60 ? 6 : columns === 100 ? 8 : 11;
    const state = pressing(watching(columns, 16, WIDE), ...Array(sorts).fill(">"), "j", "r");
    compare(`question-${columns}`, renderFrame(state));
  });
}

test("requests in flight at 100 columns, hostile characters in a target harmless", () => {
  const state = pressing(watching(100, 12), "i");
  const lines = requestLines(REQUESTS_SAMPLE);
  const shown = update(state, { type: "panel", kind: "requests", pid: undefined, lines }).state;
  compare("requests-100", renderFrame(shown));
  assert.ok(renderFrame(shown).every((line) => !paint(line, PLAIN).includes("\x1b")));
});

const SERVERS: readonly ListedServer[] = [
  {
    pid: 4711,
    name: "shop",
    folder: "/srv/shop",
    controlSocket: SOCKET,
    state: "serving",
    generation: 7,
    workers: { ready: 4, target: 4 },
    uptime: 3 * 86_400_000,
    requestsPerSecond: 1842,
    p99: 41,
    app: "app.ts",
    addresses: "unix:/run/shop/shop.sock",
  },
  {
    pid: 118_790,
    name: "東京",
    folder: "/srv/東京/current",
    controlSocket: undefined,
    state: "no socket",
    generation: null,
    workers: null,
    uptime: null,
    requestsPerSecond: null,
    p99: null,
    app: "",
    addresses: "",
  },
];

for (const columns of [150, 100, 60]) {
  test(`the list of servers at ${columns} columns`, () => {
    const state = initialState({ columns, rows: 9 }, 1000, SAMPLE_TIME);
    compare(`servers-${columns}`, renderFrame(update(state, { type: "servers", servers: SERVERS }).state));
  });
}

test("once: all workers, no keys, no selection", () => {
  compare("once-150", renderOnce(watching(150, 5)));
});

test("a frame has the size of the screen, whatever that is", () => {
  const many = Array.from({ length: 40 }, (_, slot) =>
    workerSample(slot, { notReady: slot === 3 ? "東京" : null }),
  );
  for (const stats of [statsSample(), WIDE, statsSample({ workers: many }), statsSample({ workers: [] })]) {
    for (const columns of [1, 2, 7, 39, 40, 59, 60, 79, 80, 99, 119, 120, 121, 200, 400]) {
      for (const rows of [1, 2, 3, 5, 8, 12, 24, 80]) {
        for (const keys of [[], ["?"], ["j", "R"], ["i"], ["G", "G", "j"]]) {
          const lines = renderFrame(pressing(watching(columns, rows, stats), ...keys));
          assert.equal(lines.length, rows, `${columns}×${rows}`);
          for (const line of lines) {
            assert.ok(lineWidth(line) <= columns, `${columns}×${rows}: ${JSON.stringify(textOf([line]))}`);
          }
        }
      }
    }
  }
});

test("more workers than rows: the selected one is in sight, and how many are not is said", () => {
  const workers = Array.from({ length: 40 }, (_, slot) => workerSample(slot, { pid: 5000 + slot }));
  const state = watching(100, 20, statsSample({ workers }));
  assert.match(textOf(renderFrame(state)).join("\n"), /5000 [\s\S]* 5011 [\s\S]*\n↓ 28 more\n/);
  const end = textOf(renderFrame(pressing(state, "G"))).join("\n");
  assert.match(end, / 5039 [\s\S]*\n↑ 28 more\n/);
  const middle = textOf(renderFrame(pressing(state, ...Array(20).fill("down"))));
  assert.ok(
    middle.some((line) => / 5020 /.test(line)) && middle.some((line) => /↑ 14 more {2}↓ 14 more/.test(line)),
  );
});

test("what is not counted is not shown as 0", () => {
  const lines = textOf(renderFrame(watching(150, 14, statsSample({ isCounting: false }))));
  assert.match(lines[0] ?? "", /4\/4 ready {2}requests are not counted \(--no-metrics\) {2}queue p99/);
  assert.match(lines.join("\n"), /^SLOT +PID +GEN +STATE +AGE +CONN +CPU +PSS +↺ +LAST EXIT$/m);
});

test("with a limit of requests in flight, those that wait and those refused have columns and a place in the totals", () => {
  const { rates } = statsSample();
  const limited = statsSample({
    waiting: 12,
    inFlightLimit: { places: 32, waiting: 8 },
    rates: { ...rates, shedPerSecond: 34 },
    workers: [workerSample(0, { waiting: 12, rates: { ...rates, shedPerSecond: 34 } })],
  });
  const wide = textOf(renderFrame(watching(150, 14, limited))).join("\n");
  assert.match(wide, /5xx \S+ % +waiting 12 +shed 34\.0\/s/);
  assert.match(wide, /^SLOT .* INFL +WAIT +SHED +OLDEST .*\n.* 3 +12 +34\.0 +12ms /m);
  const once = textOf(renderOnce(watching(150, 5, limited))).join("\n");
  assert.match(once, /^118 in flight \(12 waiting\) {2}/m);
  const narrow = textOf(renderFrame(watching(60, 14, limited))).join("\n");
  assert.match(narrow, /shed 34\.0\/s/);
  assert.ok(!narrow.includes("WAIT"));
});

test("memory without shared pages in part is RSS; a generation that does not serve yet has no age", () => {
  const { server, workers } = statsSample();
  const resident = workers.map((each) => ({ ...each, pssBytes: null, rssBytes: 77 * 2 ** 20 }));
  const booting = { ...server, state: "booting" as const, generation: 0, generationStartedAt: null };
  const lines = textOf(renderFrame(watching(150, 14, statsSample({ server: booting, workers: resident }))));
  assert.match(lines[0] ?? "", /booting {2}gen 0 {2}4\/4 ready/);
  assert.match(lines.join("\n"), /^SLOT .* CPU +RSS +↺ +LAST EXIT\n.* 77M /m);
  const unknown = workers.map((each) => ({ ...each, pssBytes: null, rssBytes: null }));
  const once = textOf(renderOnce(watching(150, 5, statsSample({ workers: unknown })))).join("\n");
  assert.match(once, / CPU +PSS /);
});

test("a server that does not answer is shown as such, its last figures stay, and ages stop", () => {
  let state = watching(100, 14);
  state = update(state, {
    type: "unanswered",
    controlSocket: SOCKET,
    problem: `no answer: no server listens at ${SOCKET}; looking for it`,
  }).state;
  state = update(state, { type: "tick", now: SAMPLE_TIME + 65_000 }).state;
  const lines = textOf(renderFrame(state));
  assert.equal(lines[2], `no answer for 65s: no server listens at ${SOCKET}; looking for it`);
  assert.match(lines[1] ?? "", /last reload ok 2h ago/);
  assert.match(lines.join("\n"), / 4712 ready/);
  // One that hangs has not failed yet, and is shown too.
  const hanging = update(watching(100, 14), { type: "tick", now: SAMPLE_TIME + 4000 }).state;
  assert.match(textOf(renderFrame(hanging))[2] ?? "", /^no answer for 4s: the server may be stopped/);
});

test("the selected row, and the facts that need attention, have a style of their own", () => {
  const lines = renderFrame(pressing(watching(150, 14), "j"));
  const styled = (style: string): string[] =>
    lines
      .flat()
      .filter((part) => part.style === style)
      .map(({ text }) => text.trim());
  assert.match(styled("selected").join(), /^1 +4713 +7 +stuck /);
  assert.deepEqual(
    styled("warning").filter((text) => !/%$/.test(text)),
    ["not ready", "booting"],
  );
  assert.ok(styled("bad").some((text) => text.startsWith("killed 3m ago")));
});

test("colours only repeat what words say; without them, and in ASCII, the text is the same", () => {
  const line = renderFrame(watching(150, 14)).map((each) => ({
    plain: paint(each, PLAIN),
    coloured: paint(each, { hasStyles: true, hasColours: true, hasUnicode: true }),
    ascii: paint(each, { hasStyles: false, hasColours: false, hasUnicode: false }),
    bold: paint(each, { hasStyles: true, hasColours: false, hasUnicode: true }),
  }));
  for (const { plain, coloured, ascii, bold } of line) {
    assert.equal(coloured.replaceAll(/\x1b\[[\d;]*m/g, ""), plain);
    assert.doesNotMatch(bold, /\x1b\[[\d;]*3[0-7]/);
    assert.match(ascii.replaceAll("東京", ""), /^[\x20-\x7e]*$/);
    assert.equal(ascii.length, plain.length);
  }
  assert.ok(line.some(({ coloured }) => coloured.includes("\x1b[1;31mstuck")));
});
