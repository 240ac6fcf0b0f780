import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { generatedFiles } from "../../scripts/generated.ts";
import {
  ABSENT_SETTINGS,
  absentFlag,
  absentName,
  ownNameOf,
  RENAMED_SETTINGS,
} from "../../src/config/gunicorn.ts";
import { HOOK_NAMES } from "../../src/config/hooks.ts";
import { SETTING_NAMES, type Setting, settingLabel, settings } from "../../src/config/settings.ts";
import { GUNICORN_SETTINGS } from "./gunicorn-settings.ts";

const ROOT = join(import.meta.dirname, "..", "..");

for (const [path, text] of Object.entries(generatedFiles())) {
  test(`npm run generate changes nothing in ${path}`, () => {
    assert.equal(readFileSync(join(ROOT, path), "utf8"), text, "run npm run generate");
  });
}

const OUR_FLAGS = new Set(
  SETTING_NAMES.flatMap((name) => [
    `--${settingLabel(name)}`,
    `--no-${settingLabel(name)}`,
    ...((settings[name] as Setting<unknown>).flags ?? []),
  ]),
);

test("no gunicorn setting is both supported and absent", () => {
  const seen = new Set<string>();
  for (const { name, flags } of ABSENT_SETTINGS) {
    for (const way of [name, ...flags]) {
      assert.ok(!seen.has(way), `${way} is there twice`);
      assert.ok(!OUR_FLAGS.has(way), `${way} is a setting of ours`);
      seen.add(way);
    }
    assert.ok(!Object.hasOwn(RENAMED_SETTINGS, name), name);
  }
});

test("every gunicorn setting and flag is supported, a hook, or refused with a reason", () => {
  const plain = (name: string): string => name.replaceAll("_", "").toLowerCase();
  const ours = new Set([...SETTING_NAMES, ...HOOK_NAMES].map(plain));
  for (const [name, flags] of Object.entries(GUNICORN_SETTINGS)) {
    const known = ours.has(plain(name)) || ownNameOf(name) !== undefined || absentName(name) !== undefined;
    assert.ok(known, name);
    for (const flag of flags.split(" ").filter(Boolean)) {
      assert.ok(OUR_FLAGS.has(flag) || absentFlag(flag) !== undefined, flag);
    }
  }
  for (const { name, flags } of ABSENT_SETTINGS) {
    assert.ok(Object.hasOwn(GUNICORN_SETTINGS, name), name);
    for (const flag of flags) assert.ok(GUNICORN_SETTINGS[name]?.split(" ").includes(flag), flag);
  }
});
