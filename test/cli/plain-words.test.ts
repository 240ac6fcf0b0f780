/** A command line is read the same without commander as with it, or left to commander. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainedValues } from "../../src/cli/explained-words.ts";
import { plainValues } from "../../src/cli/plain-words.ts";
import { SETTING_NAMES, type Setting, settingLabel, settings } from "../../src/config/settings.ts";
import { SAMPLES } from "../config/setting-samples.ts";

const explained = (words: readonly string[]) => ({ ...explainedValues(words, (program) => program) });

/** Each flag of the table with a value, in every way to write it. */
const LINES = SETTING_NAMES.flatMap((name): string[][] => {
  const { flags = [], kind, positional, negatable, variant } = settings[name] as Setting<unknown>;
  const [value] = SAMPLES[name];
  if (positional === true) return [[value]];
  const all = [`--${settingLabel(name)}`, ...flags, ...(variant === undefined ? [] : [variant.flag])];
  const lines = all.flatMap((flag) => {
    if (kind.bare === true) return [[flag], [flag, "app.ts"], ["app.ts", flag]];
    const attached = flag.startsWith("--") ? [[`${flag}=${value}`], [`${flag}=a=b`]] : [];
    return [[flag, value], ["app.ts", flag, value], [flag, value, "app.ts", flag, "other"], ...attached];
  });
  return negatable === undefined ? lines : [...lines, [`--no-${settingLabel(name)}`]];
});

describe("every flag of the table", () => {
  for (const line of LINES) {
    test(line.join(" "), () => assert.deepEqual(plainValues(line), explained(line)));
  }
});

test("no words, and several flags", () => {
  assert.deepEqual(plainValues([]), explained([]));
  const line = ["-w", "2", "app.ts", "--bind", "unix:/a", "--preload", "-b", ":80", "--no-control-socket"];
  assert.deepEqual(plainValues(line), explained(line));
});

/** Mistakes, help, and forms that only commander takes apart. */
const LEFT = [
  ["--help"],
  ["-h"],
  ["--version"],
  ["--unknown"],
  ["--work", "2"],
  ["-w4"],
  ["-w=4"],
  ["--workers"],
  ["--workers", "-1"],
  ["--workers", "--preload"],
  ["--preload=yes"],
  ["--no-preload=yes"],
  ["one.ts", "two.ts"],
  ["--", "app.ts"],
  ["-"],
  ["--no-workers"],
  ["--app", "app.ts"],
];

for (const line of LEFT) {
  test(`${line.join(" ")} is left to commander`, () => assert.equal(plainValues(line), undefined));
}
