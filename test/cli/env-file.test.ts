/** `--env-file` through the built command: what the app sees, what wins, a reload, and files that are at fault. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { cleanUp, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

const APP = `const shown = ["A", "B", "C", "D", "MULTI", "NODE_ENV"];
export const handler = (_request, respond) =>
  respond(200, null, JSON.stringify(Object.fromEntries(shown.map((name) => [name, process.env[name]]))));
`;

interface Stage {
  readonly folder: string;
  write(file: string, text: string | Buffer): void;
  start(args: readonly string[], env?: NodeJS.ProcessEnv): RunningCommand;
}

function stage(context: TestContext): Stage {
  const folder = temporaryFolder(context);
  const write: Stage["write"] = (file, text) => writeFileSync(join(folder, file), text);
  write("app.mjs", APP);
  const socket = join(folder, "c.ctl");
  return {
    folder,
    write,
    start(args, env = {}) {
      const options = [...args, "-b", "127.0.0.1:0", "--control-socket", socket];
      return startCommand(context, options, { cwd: folder, env: { NODE_ENV: undefined, ...env } });
    },
  };
}

async function seen(command: RunningCommand): Promise<Record<string, string>> {
  return JSON.parse((await ask({ port: await command.port() })).text);
}

test("files are below the environment and --env, the last file wins, and a reload reads them again or fails", async (context) => {
  const { folder, write, start } = stage(context);
  write("one.env", "A=one\nB=one\n# a comment\n\nexport C='one'\nMULTI=\"two\nlines=\"\n");
  write("two.env", "\uFEFFB=two\nD=two\n");
  write("tsgun.config.json", JSON.stringify({ app: "app.mjs" }));
  const files = ["--env-file", "one.env", "--env-file=two.env", "--env-file-if-exists", "none.env"];
  const command = start([...files, "--env", "D=given"], { C: "outside" });
  await command.ready();
  const first = { A: "one", B: "two", C: "outside", D: "given", MULTI: "two\nlines=" };
  assert.deepEqual(await seen(command), first);

  write("none.env", "A=three\nC=three\n");
  command.kill("SIGHUP");
  await command.ready(2);
  assert.deepEqual(await seen(command), { ...first, A: "three" });

  const faults: [() => void, RegExp][] = [
    [
      () => rmSync(join(folder, "two.env")),
      /env-file: there is no file \/.*two\.env: create it, or allow it/,
    ],
    [
      () => write("two.env", "B=four\n{ D: 1 }\n"),
      /env-file: \/.*two\.env:2: a line must be NAME=value, a comment or empty/,
    ],
  ];
  for (const [index, [fault, message]] of faults.entries()) {
    fault();
    command.kill("SIGHUP");
    const line = await command.line(/Reload failed, generation 2 stays: /, index + 1);
    assert.match(line, message);
  }
  assert.deepEqual(await seen(command), { ...first, A: "three" });
  write("two.env", "B=five\n");
  command.kill("SIGHUP");
  await command.ready(3);
  assert.equal((await seen(command)).B, "five");
});

test("a file at fault fails the start with one line that names it", async (context) => {
  const { folder, write, start } = stage(context);
  write("binary.env", Buffer.from([0x41, 0x3d, 0xff, 0xfe]));
  write("nul.env", "A=b\0c\n");
  write("open.env", 'A="b\nC\n');
  const cases: [string, RegExp][] = [
    [
      "none.env",
      /^tsgun: env-file: there is no file \/.*none\.env: create it, or allow it to be missing with --env-file-if-exists\n$/,
    ],
    ["binary.env", /^tsgun: env-file: cannot read \/.*binary\.env: it is not UTF-8\n$/],
    ["nul.env", /^tsgun: env-file: \/.*nul\.env is not a text file\n$/],
    ["open.env", /^tsgun: env-file: \/.*open\.env:2: a line must be NAME=value, a comment or empty\n$/],
    [".", new RegExp(`^tsgun: env-file: ${folder} is a folder\n$`)],
  ];
  for (const [file, message] of cases) {
    write("tsgun.config.json", JSON.stringify({ app: "app.mjs", envFile: file }));
    const command = start([]);
    assert.equal((await command.ended()).code, 2, file);
    assert.match(command.stderr, message);
  }
  write("tsgun.config.json", JSON.stringify({ app: "app.mjs", envFile: ["none.env?"] }));
  const command = start(["--check-config"]);
  assert.equal((await command.ended()).code, 0, command.stderr);
});

test("--print-config hides every value of a file, and says where the variables come from", async (context) => {
  const { folder, write, start } = stage(context);
  write("one.env", "STRIPE=sk_live\nA=one\nB=two\n");
  const command = start(["app.mjs", "--print-config", "--env-file", "one.env", "--env", "A=given"], {
    B: "outside",
  });
  assert.equal((await command.ended()).code, 0);
  assert.match(command.stdout, /^env +=(?=.* A=given)(?=.* STRIPE=\[hidden\]).* # --env, one\.env$/m);
  assert.match(command.stdout, new RegExp(`^env-file += ${folder}/one\\.env +# --env-file$`, "m"));
  assert.doesNotMatch(command.stdout, /sk_live|B=/);
});

test("tsgun dev reads .env, which may set NODE_ENV, and reloads when it changes", async (context) => {
  const { write, start } = stage(context);
  write(".env", "A=dev\nNODE_ENV=staging\n");
  const command = start(["dev", "app.mjs"]);
  cleanUp(context, () => command.kill("SIGTERM"));
  await command.ready();
  assert.deepEqual(await seen(command), { A: "dev", NODE_ENV: "staging" });
  write(".env", "A=changed\n");
  await until("the new value is there", async () => (await seen(command)).A === "changed");
  assert.equal((await seen(command)).NODE_ENV, "development");
});

test("the log says which NODE_ENV the app has, or that it has none, and which variables reach only the app", async (context) => {
  const { write, start } = stage(context);
  write(".env", "NODE_ENV=staging\nTSGUN_WORKERS=3\nTSGUN_RELEASE=7\n");
  const file = ["--env-file", ".env"];
  const cases: [string[], NodeJS.ProcessEnv, string | undefined][] = [
    [["app.mjs"], {}, undefined],
    [["app.mjs"], { NODE_ENV: "test" }, "test"],
    [["app.mjs", ...file], {}, "staging"],
    [["app.mjs", "--env", "NODE_ENV=production", ...file], { NODE_ENV: "test" }, "production"],
  ];
  for (const [args, env, nodeEnv] of cases) {
    const command = start(args, env);
    await command.ready();
    const shown = nodeEnv === undefined ? "" : ` \\(NODE_ENV: ${nodeEnv}\\)`;
    assert.match((await command.line(/Starting tsgun/)) ?? "", new RegExp(`\\d${shown}$`));
    const advice = command.lines(/NODE_ENV is not set: Express responds .*; start with NODE_ENV=production/);
    assert.equal(advice.length, nodeEnv === undefined ? 1 : 0, command.stderr);
    const ignored = command.lines(/TSGUN_WORKERS in --env or --env-file reaches the app but not tsgun/);
    assert.equal(ignored.length, args.includes(".env") ? 1 : 0, command.stderr);
    assert.equal(command.workers().length, 1);
    await command.end();
  }
});
