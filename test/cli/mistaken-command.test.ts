/** The tables of other programs' commands and options: none of them is ours, and what they refer to exists. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { controlCommand } from "../../src/cli/ctl/ctl.ts";
import { CONTROL_NAMES } from "../../src/cli/mistaken-command.ts";
import { makeProgram } from "../../src/cli/program.ts";
import { FOREIGN_FLAGS } from "../../src/config/foreign-options.ts";
import { ABSENT_SETTINGS } from "../../src/config/gunicorn.ts";

test("CONTROL_NAMES lists the commands of ctl", () => {
  const names = controlCommand().commands.map((command) => command.name());
  assert.deepEqual([...CONTROL_NAMES].sort(), names.sort());
});

test("no foreign option is also ours or gunicorn's, and each hint names an existing option", () => {
  const ours = new Set(makeProgram().options.flatMap(({ short, long }) => [short, long, "-h", "--help"]));
  const gunicorns = new Set(ABSENT_SETTINGS.flatMap(({ flags }) => flags));
  for (const [flag, instead] of FOREIGN_FLAGS) {
    assert.ok(!ours.has(flag) && !gunicorns.has(flag), `${flag} is known already`);
    for (const [named] of instead.matchAll(/(?<![\w-])--[a-z][\w-]*/g))
      assert.ok(ours.has(named), `${flag} points to ${named}`);
  }
});
