/** Every setting through the built command: it is read from each source and shown with it, and a wrong value is refused. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ABSENT_SETTINGS } from "../../src/config/gunicorn.ts";
import {
  environmentNames,
  SETTING_NAMES,
  type Setting,
  type SettingName,
  settingLabel,
  settings,
} from "../../src/config/settings.ts";
import { COMMAND, temporaryFolder } from "../support/command.ts";
import { SAMPLES, written } from "./setting-samples.ts";

const row = (name: SettingName): Setting<unknown> => settings[name] as Setting<unknown>;
const isBare = (name: SettingName): boolean => row(name).kind.bare === true;
const asked = SETTING_NAMES.filter((name) => row(name).outsideFile !== true);

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const { PATH, HOME } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [COMMAND, ...args],
      { cwd, env: { PATH, HOME, ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** The output of --print-config, by the label. */
function printed({ stdout, stderr }: Run): Map<string, { value: string; origin: string }> {
  assert.equal(stderr, "");
  const rows = stdout
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, label = "", value = "", origin = ""] = /^(\S+) += (.*?) *# (.*)$/.exec(line) ?? [];
      return [label, { value, origin }] as const;
    });
  return new Map(rows);
}

function check(
  rows: ReturnType<typeof printed>,
  names: readonly SettingName[],
  origin: (name: SettingName) => string,
): void {
  for (const name of names) {
    const { kind, secret } = row(name);
    const shown = secret === true ? "[hidden]" : kind.format(kind.parse(SAMPLES[name][0]));
    assert.deepEqual(rows.get(settingLabel(name)), { value: shown, origin: origin(name) }, name);
  }
}

/** The command line that sets these. */
function typed(names: readonly SettingName[]): string[] {
  return names.flatMap((name) => {
    if (row(name).positional === true) return [SAMPLES[name][0]];
    return isBare(name) ? [`--${settingLabel(name)}`] : [`--${settingLabel(name)}`, SAMPLES[name][0]];
  });
}

test("every setting has an example here", () => {
  assert.deepEqual(Object.keys(SAMPLES).sort(), [...SETTING_NAMES].sort());
});

test("--print-config shows every setting, and its default", async (context) => {
  const rows = printed(await run(temporaryFolder(context), ["--print-config"]));
  assert.deepEqual([...rows.keys()], SETTING_NAMES.map(settingLabel));
  for (const name of asked) {
    const { default: fallback, kind } = row(name);
    const value = fallback === undefined ? "" : kind.format(fallback);
    assert.deepEqual(rows.get(settingLabel(name)), { value, origin: "default" }, name);
  }
});

test("every setting that a file may contain is read from a file", async (context) => {
  const folder = temporaryFolder(context);
  const values = asked.map((name) => [name, written(name)]);
  writeFileSync(join(folder, "tsgun.config.json"), JSON.stringify(Object.fromEntries(values)));
  check(printed(await run(folder, ["--print-config"])), asked, () => "tsgun.config.json");
});

test("every setting is read from its variable", async (context) => {
  const variables = asked.map((name) => [environmentNames(name)[0], SAMPLES[name][0]]);
  const rows = printed(
    await run(temporaryFolder(context), ["--print-config"], Object.fromEntries(variables)),
  );
  check(rows, asked, (name) => `${environmentNames(name)[0]} in the environment`);
});

test("every setting is read from TSGUN_CMD_ARGS and from the command line", async (context) => {
  const folder = temporaryFolder(context);
  const there = await run(folder, ["--print-config"], { TSGUN_CMD_ARGS: typed(asked).join(" ") });
  const from = (name: SettingName): string =>
    name === "app" ? "the command line" : `--${settingLabel(name)}`;
  check(printed(there), asked, (name) => `${from(name)} in TSGUN_CMD_ARGS`);
  check(printed(await run(folder, ["--print-config", ...typed(asked)])), asked, from);
});

for (const name of SETTING_NAMES) {
  const [, wrong] = SAMPLES[name];
  const label = settingLabel(name);
  // A variable that is empty is not set.
  const byVariable = wrong !== "";
  const origin = byVariable
    ? `${environmentNames(name)[0]} in the environment`
    : name === "app"
      ? "the command line"
      : `--${label}`;
  test(`${label}: ${JSON.stringify(wrong)} is refused, from ${origin}`, async (context: TestContext) => {
    const args = byVariable ? [] : row(name).positional === true ? [wrong] : [`--${label}`, wrong];
    const env = byVariable ? { [environmentNames(name)[0] as string]: wrong } : {};
    const { code, stdout, stderr } = await run(temporaryFolder(context), ["--print-config", ...args], env);
    assert.equal(code, 2, stdout);
    assert.ok(stderr.startsWith(`tsgun: ${label}: `), stderr);
    assert.ok(stderr.endsWith(` (from ${origin})\n`), stderr);
    assert.equal(stderr.trimEnd().split("\n").length, 1);
  });
}

test("--print-config shows the absolute path of --config", async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "other.json"), "{}");
  const rows = printed(await run(folder, ["--print-config", "-c", "other.json"]));
  assert.deepEqual(rows.get("config"), { value: join(folder, "other.json"), origin: "--config" });
});

test("--print-config hides values that look like secrets", async (context) => {
  const args = [
    "--print-config",
    'app.mjs:create("s3cret")',
    "-e",
    "DB_PASSWORD=s3cret",
    "-e",
    "COLOUR=blue",
  ];
  const more = ["-e", "REDIS=redis://me:s3cret@db/0"];
  const { stdout } = await run(temporaryFolder(context), [...args, ...more]);
  assert.ok(!stdout.includes("s3cret"), stdout);
  assert.match(stdout, /app\.mjs:create\(\[hidden\]\)/);
  assert.match(stdout, /DB_PASSWORD=\[hidden\] COLOUR=blue REDIS=redis:\/\/\[hidden\]@db\/0/);
});

const GIVEN = ABSENT_SETTINGS.flatMap((setting) => setting.flags.map((flag) => ({ flag, setting })));
const ABSENT = [
  ...GIVEN.map(({ flag, setting }) => ({ word: flag, flag, setting })),
  ...GIVEN.filter(({ flag }) => flag === "--threads").map((given) => ({ ...given, word: "--threads=4" })),
  ...GIVEN.filter(({ flag }) => flag === "-k").map((given) => ({
    ...given,
    word: "-kgevent",
    flag: "-kgevent",
  })),
];

test("every unsupported gunicorn flag is refused with the reason and the alternative", async (context) => {
  const folder = temporaryFolder(context);
  for (const { word, flag, setting } of ABSENT) {
    const { code, stderr } = await run(folder, [word]);
    const message = `${flag} is a gunicorn setting that tsgun does not have: ${setting.why}; ${setting.instead}`;
    assert.deepEqual([code, stderr], [2, `tsgun: ${message}\n`]);
  }
});

test("--print-config shows --no-… as the origin", async (context) => {
  const rows = printed(await run(temporaryFolder(context), ["--print-config", "--no-control-socket"]));
  assert.deepEqual(rows.get("control-socket"), { value: "none", origin: "--no-control-socket" });
});

test("a gunicorn setting in a file is refused with the alternative, a renamed one with its new name", async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "tsgun.config.json"), '{ "worker_class": "gevent" }');
  assert.match(
    (await run(folder, [])).stderr,
    /^tsgun: worker_class \(from tsgun\.config\.json\) is a gunicorn setting/,
  );
  writeFileSync(join(folder, "tsgun.config.json"), '{ "errorlog": "-" }');
  assert.equal(
    (await run(folder, [])).stderr,
    "tsgun: there is no setting errorlog (from tsgun.config.json); did you mean errorLogfile?\n",
  );
});
