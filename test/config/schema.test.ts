/** The JSON Schema of tsgun.config.json, as an editor's validator applies it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import { SETTING_NAMES, type Setting, type SettingName, settings } from "../../src/config/settings.ts";
import { SAMPLES, written } from "./setting-samples.ts";

const FILE = join(import.meta.dirname, "..", "..", "docs", "tsgun.schema.json");
const validate = new Ajv({ strict: true, allErrors: true }).compile(JSON.parse(readFileSync(FILE, "utf8")));
const names = SETTING_NAMES.filter((name) => (settings[name] as Setting<unknown>).outsideFile !== true);

/** The fault of these lies in their text, which the command reads and no schema. */
const READ: readonly SettingName[] = [
  ...([
    "bind",
    "adminBind",
    "forwardedAllowIps",
    "forwardedHeaders",
    "proxyAllowFrom",
    "rootPath",
    "logSyslogTo",
  ] as const),
  ...(["timeout", "bootTimeout", "workerBind", "neverShed", "httpProtocols"] as const),
];

function refused(config: object): boolean {
  return !validate(config);
}

test("the schema accepts a file with every setting and one without any", () => {
  const all = Object.fromEntries(names.map((name) => [name, written(name)]));
  for (const config of [{}, all, { $schema: "./node_modules/tsgun/docs/tsgun.schema.json", ...all }])
    assert.ok(!refused(config), JSON.stringify(validate.errors));
});

test("the schema refuses wrong types, wrong forms and unknown settings", () => {
  for (const name of names)
    for (const value of [null, [[]], { a: [] }]) assert.ok(refused({ [name]: value }), name);
  const missed = names.filter((name) => !refused({ [name]: SAMPLES[name][1] }));
  assert.deepEqual(missed.sort(), [...READ].sort());
  for (const config of [
    { wrokers: 2 },
    { config: "other.json" },
    { checkConfig: true },
    { whenReady: "x" },
    [],
    5,
  ])
    assert.ok(refused(config as object), JSON.stringify(config));
});
