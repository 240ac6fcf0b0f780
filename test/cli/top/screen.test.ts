/** A terminal of a few lines of code shows what the screen writes of each frame. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as figures from "../../../src/cli/figures.ts";
import { Screen } from "../../../src/cli/top/screen.ts";
import { type Line, paletteOf, span } from "../../../src/cli/top/style.ts";
import { cut, cutStart, fill, printable, widthOf, wrap } from "../../../src/cli/top/text.ts";

const SIZE = { columns: 10, rows: 3 };
const PLAIN = { hasStyles: false, hasColours: false, hasUnicode: true };

function lines(...texts: string[]): Line[] {
  return texts.map((text) => [span(text)]);
}

test("only lines that have changed are written, in one string", () => {
  const screen = new Screen(PLAIN);
  assert.equal(
    screen.change(lines("one", "two", "exactly 10"), SIZE),
    "\x1b[H\x1b[J\x1b[1;1Hone\x1b[K\x1b[2;1Htwo\x1b[K\x1b[3;1Hexactly 10",
  );
  assert.equal(screen.change(lines("one", "two", "exactly 10"), SIZE), "");
  assert.equal(screen.change(lines("one", "2", "exactly 10"), SIZE), "\x1b[2;1H2\x1b[K");
  // Another size, or a screen that something else has written to: everything anew.
  assert.match(screen.change(lines("one", "2"), { columns: 11, rows: 3 }), /^\x1b\[H\x1b\[J.*one.*2/);
  screen.forget();
  assert.match(screen.change(lines("one", "2"), { columns: 11, rows: 3 }), /one.*2/);
});

test("wide characters are cut as a whole", () => {
  assert.equal(cut("東京の店", 8), "東京の店");
  assert.equal(cut("東京の店", 7), "東京の…");
  assert.equal(cut("東京の店", 6), "東京…");
  assert.equal(cut("東京", 1), "…");
  assert.equal(cut("abc", 0), "");
  assert.equal(cut("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  assert.equal(cutStart("/srv/東京/app", 8), "…京/app");
  assert.equal(cutStart("app", 3), "app");
  assert.equal(fill("東", 4, "right"), "  東");
  assert.equal(widthOf(fill("👩‍👩‍👧 family", 6)), 6);
  assert.deepEqual(wrap("東京abc", 3), ["東", "京a", "bc"]);
  assert.deepEqual(wrap("", 3), [""]);
  assert.deepEqual(wrap("one worker less", 12), ["one worker", "less"]);
  assert.deepEqual(wrap("one worker less", 10), ["one worker", "less"]);
  assert.deepEqual(wrap("a /srv/shop/app.ts", 10), ["a /srv/sho", "p/app.ts"]);
});

test("nothing that a terminal obeys is printable", () => {
  assert.equal(printable("a\x1b]0;title\x07\r\n\x9b31m\u202eb"), "a?]0;title????31m?b");
  assert.equal(printable("naïve 東京 👍"), "naïve 東京 👍");
});

test("figures have a unit, and never claim zero for something", () => {
  const { age, bytes, count, duration, percent, rate, ratio, sparkline } = figures;
  assert.deepEqual([null, 0, 0.4, 12.4, 999.6, 1240, 41_200, 7.2e6].map(duration), [
    "-",
    "0ms",
    "0.4ms",
    "12ms",
    "1.0s",
    "1.2s",
    "41s",
    "2h",
  ]);
  assert.deepEqual([0, 99_999, 100_000, 6e6, 12.2e6, 3.6e6 * 48].map(age), [
    "0s",
    "99s",
    "1m",
    "1h40m",
    "3h23m",
    "2d",
  ]);
  assert.deepEqual([0, 0.25, 12, 1842.4].map(rate), ["0", "0.3", "12.0", "1,842"]);
  assert.deepEqual([0, 0.00001, 0.0002, 0.031, 1].map(ratio), ["0%", "<.01%", "0.02%", "3.1%", "100%"]);
  assert.deepEqual([null, 0.414, 1.01].map(percent), ["-", "41%", "101%"]);
  assert.deepEqual([0, 1023, 1536, 64 * 1024 ** 2, 1.5e9].map(bytes), ["0B", "1.0K", "1.5K", "64M", "1.4G"]);
  assert.equal(count(13_262_400), "13,262,400");
  assert.equal(sparkline([0, 1, 500, 1000], 6), "  ▁▂▅█");
  assert.equal(sparkline([0, 0], 2), "▁▁");
  assert.equal(sparkline([9, 1, 2], 2), "▅█");
});

test("NO_COLOR, TERM=dumb and an output that is no terminal have no colours; a locale may have no symbols", () => {
  assert.deepEqual(paletteOf({ TERM: "xterm", LANG: "C.UTF-8" }, true), {
    hasStyles: true,
    hasColours: true,
    hasUnicode: true,
  });
  assert.equal(paletteOf({ TERM: "xterm", NO_COLOR: "1" }, true).hasColours, false);
  assert.equal(paletteOf({ TERM: "xterm", NO_COLOR: "" }, true).hasColours, true);
  assert.equal(paletteOf({ TERM: "dumb" }, true).hasStyles, false);
  assert.equal(paletteOf({ TERM: "xterm" }, false).hasStyles, false);
  assert.equal(paletteOf({ LC_ALL: "C", LANG: "en_US.UTF-8" }, true).hasUnicode, false);
  assert.equal(paletteOf({ LC_ALL: "", LANG: "en_US.utf8" }, true).hasUnicode, true);
  assert.equal(paletteOf({}, true).hasUnicode, true);
});
