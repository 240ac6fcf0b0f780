/** The command line without a server: help, version, and its errors, one line each. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SETTING_NAMES, type Setting, settingLabel, settings } from "../../src/config/settings.ts";
import { packageVersion } from "../../src/config/version.ts";
import { startCommand, temporaryFolder } from "../support/command.ts";

test("--version prints the version", async (context) => {
  const command = startCommand(context, ["--version"]);
  assert.deepEqual(await command.ended(), { code: 0, signal: null });
  assert.equal(command.stdout, `tsgun ${packageVersion()}\n`);
});

test("--help shows every setting with its default", async (context) => {
  const command = startCommand(context, ["--help"]);
  assert.equal((await command.ended()).code, 0);
  const text = command.stdout.replaceAll(/\s+/g, " ");
  for (const name of SETTING_NAMES) {
    const { positional, doc, kind, default: fallback } = settings[name] as Setting<unknown>;
    const operand = kind.bare === true ? "" : kind.alone === undefined ? "<" : "\\[";
    if (positional !== true) assert.match(text, new RegExp(` --${settingLabel(name)} ${operand}`));
    assert.ok(text.includes(doc), name);
    if (fallback !== undefined && kind.bare !== true)
      assert.ok(text.includes(`(default: ${kind.format(fallback)})`), name);
  }
});

test("--help gives descriptions half of a narrow terminal", async (context) => {
  const command = startCommand(context, ["--help"]);
  await command.ended();
  const [, term = ""] = /^( +-v, --version +)\S/m.exec(command.stdout) ?? [];
  assert.ok(term.length > 0 && term.length <= 45, `the flags take ${term.length} columns`);
});

test("--help fits a terminal of 80 columns, and says what --no-… does", async (context) => {
  const command = startCommand(context, ["--help"]);
  await command.ended();
  for (const line of command.stdout.split("\n")) {
    // A default that is one long word cannot be broken.
    assert.ok(line.length <= 80 || !line.trim().includes(" "), line);
  }
  assert.match(command.stdout, /--log-syslog-facility <WORD> {2,}The facility/);
  assert.match(command.stdout, /--no-access-logfile {2,}Write no access log\./);
});

const MISTAKES: [args: string[], message: string][] = [
  [
    [],
    "no app given: run tsgun module:name, for example tsgun app.ts:handler, or set app in tsgun.config.ts",
  ],
  [["--wrokers", "2", "a"], "unknown option '--wrokers' (Did you mean --workers?) (see tsgun --help)"],
  [["--workers", "many", "a"], 'workers: "many" is neither a whole number nor auto (from --workers)'],
  [["-w", "0", "a"], "workers: 0 is too small: at least 1 (from --workers)"],
  [["--workers"], "option '-w, --workers <INT|auto>' argument missing (see tsgun --help)"],
  [
    ["--keep-alive", "long", "a"],
    'keep-alive: "long" is not a duration: write 30, 1.5, 500ms, 30s or 1m (from --keep-alive)',
  ],
  [
    ["--limit-request-field_size", "x", "a"],
    'limit-request-field-size: "x" is not a size: write 8190, 512KB, 10MB or 1GB (from --limit-request-field-size)',
  ],
  [
    ["--interface", "wsgi", "a"],
    'interface: "wsgi" is not one of auto, gateway, fetch, node, server (from --interface)',
  ],
  [
    ["-b", "/run/a.sock", "a"],
    'bind: "/run/a.sock" is not an address: write host:port, [::1]:port, :port or unix:/path (from --bind)',
  ],
  [["--umask", "9", "a"], 'umask: "9" is not a mode: write it in octal, as in 660 (from --umask)'],
  [["--env", "NAME", "a"], 'env: "NAME" is not a variable: write NAME=VALUE (from --env)'],
  [
    ["--user", "nobody-by-that-name", "a"],
    'there is no user "nobody-by-that-name" on this machine: check --user',
  ],
  [
    ["--socket-owner", ":no-such-group", "a"],
    'there is no group "no-such-group" on this machine: check --socket-owner',
  ],
  [["a", "b"], "too many arguments. Expected 1 argument but got 2. (see tsgun --help)"],
  [
    ["-p", "18001", "a"],
    'pid: "18001" is a number, not a file: for a port write --bind 127.0.0.1:18001, for such a file write ./18001 (from --pid)',
  ],
  [["start", "app.ts"], "there is no command start: write tsgun app.ts (see tsgun --help)"],
  [["serve"], "there is no command serve: write tsgun APP (see tsgun --help)"],
  [["reload"], "there is no command reload: write tsgun ctl reload (see tsgun --help)"],
  [["scale", "4", "-w", "2"], "there is no command scale: write tsgun ctl scale 4 (see tsgun --help)"],
  [["restart", "shop"], "there is no command restart: write tsgun ctl restart (see tsgun --help)"],
  [["list"], "there is no command list: write tsgun ps (see tsgun --help)"],
  [
    ["staus", "--chdir", "/"],
    "staus is neither a command nor an app in /; did you mean tsgun ctl status? (see tsgun --help)",
  ],
  [
    ["strat", "app.ts", "--chdir", "/"],
    "strat is neither a command nor an app in /; did you mean tsgun app.ts? (see tsgun --help)",
  ],
  [["help", "docter"], "there is no command docter; did you mean tsgun help doctor? (see tsgun --help)"],
  [["ctl", "statsu"], "unknown command 'statsu' (Did you mean one of stats, status?) (see tsgun ctl --help)"],
  [["--chdir", "/nowhere/at/all", "a"], "chdir: cannot change to /nowhere/at/all: there is no such folder"],
];

for (const [args, message] of MISTAKES) {
  test(`tsgun ${args.join(" ")} ends with 2 and one line`, async (context) => {
    const command = startCommand(context, args);
    assert.deepEqual(await command.ended(), { code: 2, signal: null });
    assert.equal(command.stderr, `tsgun: ${message}\n`);
    assert.equal(command.stdout, "");
  });
}

/** The options that users of another program type, and the setting that the line must name. */
const HABITS: [args: string[], option: string, setting: string][] = [
  [["app.ts", "--port", "3000"], "--port", "--bind 127.0.0.1:3000"],
  [["app.ts", "--port=3000"], "--port", "--bind HOST:PORT"],
  [["--host", "0.0.0.0", "app.ts"], "--host", "--bind"],
  [["app.ts", "-i", "max"], "-i", "--workers auto"],
  [["app.ts", "-i4"], "-i", "--workers"],
  [["app.ts", "--instances=4"], "--instances", "--workers"],
  [["--watch", "app.ts"], "--watch", "tsgun dev APP"],
  [["app.ts", "--log", "app.log"], "--log", "--error-logfile"],
  [["app.ts", "--max-memory-restart", "200M"], "--max-memory-restart", "--max-memory"],
  [["--exec", "tsx", "app.ts"], "--exec", "the node that starts it"],
  [["dev", "app.ts", "--inspect"], "--inspect", "NODE_OPTIONS"],
];

for (const [args, option, setting] of HABITS) {
  test(`tsgun ${args.join(" ")} ends with 2 and a line that names ${setting}`, async (context) => {
    const command = startCommand(context, args);
    assert.deepEqual(await command.ended(), { code: 2, signal: null });
    assert.match(command.stderr, new RegExp(`^tsgun: there is no option ${option}: [^\\n]+\\n$`));
    assert.ok(command.stderr.includes(setting), command.stderr);
  });
}

test("the name of a file or a package is an app, even if it resembles a command", async (context) => {
  const folder = temporaryFolder(context);
  const source = "export const handler = (_, respond) => respond(204);\n";
  writeFileSync(join(folder, "staus.mjs"), source);
  mkdirSync(join(folder, "node_modules", "reload"), { recursive: true });
  writeFileSync(join(folder, "node_modules", "reload", "index.mjs"), source);
  const manifest = { name: "reload", exports: "./index.mjs" };
  writeFileSync(join(folder, "node_modules", "reload", "package.json"), JSON.stringify(manifest));
  for (const app of ["staus", "reload"]) {
    const command = startCommand(context, [app, "--check-config"], { cwd: folder });
    assert.equal((await command.ended()).code, 0, command.stderr);
  }
});

test("tsgun ctl alone prints its help on standard error and exits with 1", async (context) => {
  const command = startCommand(context, ["ctl"]);
  assert.deepEqual(await command.ended(), { code: 1, signal: null });
  assert.match(command.stderr, /^Usage: tsgun ctl \[options\] \[command\]\n.*\n {2}scale /s);
  assert.equal(command.stdout, "");
});

const HELPS: [args: string[], usage: RegExp][] = [
  [["help"], /^Usage: tsgun \[options\] \[APP\]\n/],
  [["help", "dev"], /^Usage: tsgun dev \[options\]/],
  [["help", "ctl"], /^Usage: tsgun ctl \[options\]/],
  [["help", "ctl", "scale"], /^Usage: tsgun ctl scale \[options\]/],
  [["help", "scale"], /^Usage: tsgun ctl scale \[options\]/],
  [["help", "init"], /^Usage: tsgun init \[options\]/],
  [["help", "doctor"], /^Usage: tsgun doctor \[options\]/],
  [["help", "completion"], /^Prints a completion script for the shell/],
  [["doctor", "help"], /^Usage: tsgun doctor \[options\]/],
  [["init", "help"], /^Usage: tsgun init \[options\]/],
  [["completion", "help"], /^Prints a completion script for the shell/],
  [["ctl", "help", "scale"], /^Usage: tsgun ctl scale \[options\]/],
];

for (const [args, usage] of HELPS) {
  test(`tsgun ${args.join(" ")} prints the help of that command`, async (context) => {
    const command = startCommand(context, args);
    assert.deepEqual(await command.ended(), { code: 0, signal: null });
    assert.match(command.stdout, usage);
    assert.equal(command.stderr, "");
  });
}

test("an invalid value in the environment is reported with its variable", async (context) => {
  const command = startCommand(context, ["a"], { env: { WEB_CONCURRENCY: "lots" } });
  assert.equal((await command.ended()).code, 2);
  assert.equal(
    command.stderr,
    'tsgun: workers: "lots" is neither a whole number nor auto (from WEB_CONCURRENCY in the environment)\n',
  );
});

test("settings from the command line win over the environment", async (context) => {
  const args = ["pool/echo.mjs:handler", "-b", "127.0.0.1:0", "--workers", "2"];
  const command = startCommand(context, args, { env: { WEB_CONCURRENCY: "3" } });
  await command.line(/Ready: generation 1 serves with 2 workers/);
});

test("WEB_CONCURRENCY sets the number of workers", async (context) => {
  const args = ["pool/echo.mjs:handler", "-b", "127.0.0.1:0"];
  const command = startCommand(context, args, { env: { WEB_CONCURRENCY: "2" } });
  await command.line(/Ready: generation 1 serves with 2 workers/);
});

test("--chdir is the base of the app and of a relative socket", async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "there.mjs"), "export const handler = (_, respond) => respond(204);\n");
  const command = startCommand(context, ["there.mjs:handler", "--chdir", folder, "-b", "unix:there.sock"]);
  await command.ready();
  assert.deepEqual(await command.urls(), ["unix:there.sock"]);
});

test("--log-level suppresses lower levels", async (context) => {
  const args = ["pool/echo.mjs:handler", "-b", "127.0.0.1:70000"];
  const wrong = startCommand(context, args);
  assert.equal((await wrong.ended()).code, 2);
  const quiet = startCommand(context, ["pool/exits.mjs", "-b", "127.0.0.1:0", "--log-level", "error"]);
  await quiet.ended();
  assert.deepEqual(quiet.lines(/\[INFO\]/), []);
  assert.match(quiet.stderr, /\[ERROR\]/);
});
