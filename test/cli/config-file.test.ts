/** The configuration file through the built command: where it is found, its forms, its errors, and HUP. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type RunningCommand, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";

const APP = "export const handler = (_, respond) => respond(204);\n";
const ESM = '{ "type": "module" }';

/** A folder with an app and these files. */
function project(context: TestContext, files: Record<string, string>): string {
  const folder = temporaryFolder(context);
  for (const [path, text] of Object.entries({ "app.mjs": APP, ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function start(
  context: TestContext,
  files: Record<string, string>,
  args: string[] = [],
  env: NodeJS.ProcessEnv = {},
): { command: RunningCommand; folder: string } {
  const folder = project(context, files);
  return { command: startCommand(context, args, { cwd: folder, env }), folder };
}

async function workersOf(command: RunningCommand, generation = 1): Promise<number> {
  const line = await command.line(new RegExp(`Ready: generation ${generation} serves`));
  return Number(/with (\d+) worker/.exec(line)?.[1]);
}

const BODY = '{ app: "app.mjs", bind: "127.0.0.1:0", workers: 2, keepAlive: "10s" }';
const FORMS: [what: string, files: Record<string, string>][] = [
  [
    "tsgun.config.json",
    { "tsgun.config.json": '{ "$schema": "x", "app": "app.mjs", "bind": "unix:a", "workers": 2 }' },
  ],
  [
    "tsgun.config.json as an editor on Windows writes it",
    { "tsgun.config.json": '\uFEFF{\r\n"app": "app.mjs", "bind": "unix:a", "workers": 2 }' },
  ],
  ["tsgun.config.mjs", { "tsgun.config.mjs": `export default ${BODY};` }],
  [
    "tsgun.config.js of a package of ES modules",
    { "tsgun.config.js": `export default ${BODY};`, "package.json": ESM },
  ],
  [
    "tsgun.config.js of another package",
    { "tsgun.config.js": `module.exports = ${BODY};`, "package.json": "{}" },
  ],
  ["tsgun.config.cjs", { "tsgun.config.cjs": `module.exports = ${BODY};`, "package.json": ESM }],
  [
    "tsgun.config.cjs made by a compiler",
    {
      "tsgun.config.cjs": `Object.defineProperty(exports, "__esModule", { value: true }); exports.default = ${BODY};`,
    },
  ],
  [
    "tsgun.config.ts without a package.json",
    { "tsgun.config.ts": `const c: object = ${BODY};\nexport default c;` },
  ],
  [
    "tsgun.config.ts of a package of CommonJS",
    { "tsgun.config.ts": `export default ${BODY} as object;`, "package.json": "{}" },
  ],
  [
    "tsgun.config.ts with what only a compiler takes",
    {
      "tsgun.config.ts": `import { app } from "./parts/app";\nenum Count { Two = 2 }\nexport default { ...${BODY}, app, workers: Count.Two };`,
      "parts/app.ts": 'export const app: string = "app.mjs";',
      "package.json": ESM,
    },
  ],
  ["tsgun.config.mts", { "tsgun.config.mts": `export default ${BODY} as const;` }],
  [
    "a function",
    { "tsgun.config.mjs": `export default ({ env }) => ({ ...${BODY}, workers: Number(env.COUNT) });` },
  ],
  [
    "a promise of a function",
    { "tsgun.config.ts": `export default async () => { await null; return ${BODY}; };` },
  ],
  ["the first of several", { "tsgun.config.ts": `export default ${BODY};`, "tsgun.config.js": "broken(" }],
];

for (const [what, files] of FORMS) {
  test(`tsgun without arguments starts the app of ${what}`, async (context) => {
    const { command } = start(context, files, [], { COUNT: "2" });
    assert.equal(await workersOf(command), 2);
  });
}

const HERE = { "tsgun.config.mjs": "throw new Error('not this one');" };
const THERE = { "conf/prod.mjs": `export default ${BODY};` };
const ELSEWHERE: [args: string[], files: Record<string, string>, env?: NodeJS.ProcessEnv][] = [
  [["-c", "conf/prod.mjs"], { ...HERE, ...THERE }],
  [["--config", "file:conf/prod.mjs"], { ...HERE, ...THERE }],
  [
    ["--config", "module:settings"],
    {
      ...HERE,
      "node_modules/settings/package.json": '{ "name": "settings", "main": "index.cjs" }',
      "node_modules/settings/index.cjs": `module.exports = ${BODY};`,
    },
  ],
  [
    ["--config", "module:settings/prod"],
    {
      ...HERE,
      "node_modules/settings/package.json":
        '{ "name": "settings", "exports": { "./prod": { "import": "./prod.mjs" } } }',
      "node_modules/settings/prod.mjs": `export default ${BODY};`,
    },
  ],
  [[], { ...HERE, ...THERE }, { TSGUN_CONFIG: "conf/prod.mjs" }],
  [[], { ...HERE, ...THERE }, { TSGUN_CMD_ARGS: "--config 'conf/prod.mjs'" }],
  [["--no-config", "app.mjs", "-w", "2", "-b", "127.0.0.1:0"], HERE],
  [
    ["--chdir", "sub", "--workers", "2"],
    { "tsgun.config.mjs": `export default ${BODY};`, "sub/app.mjs": APP },
  ],
];

for (const [args, files, env] of ELSEWHERE) {
  test(`${JSON.stringify(env ?? {})} tsgun ${args.join(" ")}`, async (context) => {
    const { command } = start(context, files, args, env);
    assert.equal(await workersOf(command), 2);
  });
}

test("the command line overrides TSGUN_CMD_ARGS, which overrides TSGUN_*, which override the file", async (context) => {
  const files = { "tsgun.config.mjs": `export default ${BODY};` };
  const environment = { TSGUN_WORKERS: "3" };
  const words = { ...environment, TSGUN_CMD_ARGS: "-w 4 --name 'two words'" };
  const [two, three, four, five] = [
    start(context, files).command,
    start(context, files, [], environment).command,
    start(context, files, [], words).command,
    start(context, files, ["-w", "5"], words).command,
  ];
  assert.equal(await workersOf(two), 2);
  assert.equal(await workersOf(three), 3);
  assert.equal(await workersOf(four), 4);
  assert.equal(await workersOf(five), 5);
});

const MISTAKES: [
  files: Record<string, string>,
  message: string | RegExp,
  args?: string[],
  env?: NodeJS.ProcessEnv,
][] = [
  [
    { "tsgun.config.mjs": "export default { wrokers: 2 };" },
    "there is no setting wrokers (from tsgun.config.mjs); did you mean workers?",
  ],
  [
    { "tsgun.config.mjs": "export default { max_requests_jitter: 2 };" },
    "there is no setting max_requests_jitter (from tsgun.config.mjs); did you mean maxRequestsJitter?",
  ],
  [
    { "tsgun.config.mjs": "export default { port: 3000 };" },
    "there is no setting port (from tsgun.config.mjs): write --bind HOST:PORT, as in --bind 127.0.0.1:3000",
  ],
  [
    { "tsgun.config.mjs": "export default { pidfile: 'x' };" },
    "there is no setting pidfile (from tsgun.config.mjs); did you mean pid?",
  ],
  [
    { "tsgun.config.mjs": "export default { on_starting() {} };" },
    "there is no setting on_starting (from tsgun.config.mjs); did you mean onStarting?",
  ],
  [
    { "tsgun.config.mjs": "export default { preRequests() {} };" },
    "there is no setting preRequests (from tsgun.config.mjs); did you mean preRequest?",
  ],
  [
    { "tsgun.config.mjs": "export default {\n  get app() { throw new Error('no luck'); } };" },
    "tsgun.config.mjs cannot be read: no luck (at tsgun.config.mjs:2)",
  ],
  [
    { "tsgun.config.json": '{ "keepAlive": "long" }' },
    'keep-alive: "long" is not a duration: write 30, 1.5, 500ms, 30s or 1m (from tsgun.config.json)',
  ],
  [
    { "tsgun.config.mjs": "export default { config: 'x' };" },
    "config cannot be set in tsgun.config.mjs: give it on the command line",
  ],
  [
    { "tsgun.config.mjs": "export const app = 'app.mjs';" },
    'tsgun.config.mjs: it has no default export: write export default { app: "app.ts:handler" }',
  ],
  [
    { "tsgun.config.mjs": "export default 'app.mjs';" },
    "tsgun.config.mjs: the default export is a string: a configuration is an object with settings",
  ],
  [
    { "tsgun.config.mjs": "export default () => [];" },
    "tsgun.config.mjs: the default export is an array: a configuration is an object with settings",
  ],
  [
    { "tsgun.config.json": "[]" },
    "tsgun.config.json: it contains an array: a configuration is an object with settings",
  ],
  [
    { "tsgun.config.mjs": "\nexport default () => { throw new Error('no luck'); };" },
    "the function of tsgun.config.mjs failed: no luck (at tsgun.config.mjs:2)",
  ],
  [
    { "tsgun.config.ts": "const a: number = 1;\nthrow new TypeError('no luck');\nexport default {};" },
    "cannot load tsgun.config.ts: TypeError: no luck (at tsgun.config.ts:2)",
  ],
  [
    { "tsgun.config.mjs": "export default {\n  app: \n};" },
    "cannot load tsgun.config.mjs: syntax error in tsgun.config.mjs:3: Unexpected token '}'",
  ],
  [
    { "tsgun.config.mjs": "import './part.mjs';\nexport default {};", "part.mjs": "\n\nconst ;" },
    "cannot load tsgun.config.mjs: syntax error in part.mjs:3: Unexpected token ';'",
  ],
  [
    { "tsgun.config.ts": "export default {\n  app: \n};" },
    /^cannot load tsgun\.config\.ts: syntax error in tsgun\.config\.ts:\d: /,
  ],
  [
    { "tsgun.config.json": '{\n  "app": "app.mjs",\n  workers: 2\n}' },
    /^syntax error in tsgun\.config\.json:3: /,
  ],
  [{}, /^there is no configuration file nowhere\.ts in \//, ["-c", "nowhere.ts"]],
  [
    { "conf/prod.ts": "" },
    /^there is no configuration file conf\/prd\.ts in \/.*; did you mean conf\/prod\.ts\?$/,
    ["-c", "conf/prd.ts"],
  ],
  [{}, /^cannot find the configuration module settings from \//, ["-c", "module:settings"]],
  [
    { "tsgun.config.mjs": "export default {};" },
    "no app given: run tsgun module:name, for example tsgun app.ts:handler, or set app in tsgun.config.ts",
  ],
  [
    {},
    "workers: 0 is too small: at least 1 (from --workers in TSGUN_CMD_ARGS)",
    [],
    { TSGUN_CMD_ARGS: "-w 0" },
  ],
  [
    {},
    "there is no setting TSGUN_WROKERS (in the environment); did you mean TSGUN_WORKERS?",
    [],
    { TSGUN_WROKERS: "2" },
  ],
  [
    {},
    "there is no setting TSGUN_PIDFILE (in the environment); did you mean TSGUN_PID?",
    [],
    { TSGUN_PIDFILE: "a.pid" },
  ],
  [
    {},
    "TSGUN_WORKER_CLASS (in the environment) is a gunicorn setting that tsgun does not have: there is one kind of worker, an event loop; leave it out; --interface sets the kind of app",
    [],
    { TSGUN_WORKER_CLASS: "gevent" },
  ],
  [
    {},
    "TSGUN_CMD_ARGS: unknown option '--wrokers' (Did you mean --workers?) (see tsgun --help)",
    [],
    { TSGUN_CMD_ARGS: "--wrokers 0" },
  ],
  [{}, "TSGUN_CMD_ARGS: the quote ' at character 8 is not terminated", [], { TSGUN_CMD_ARGS: "--name 'a" }],
];

for (const [files, message, args, env] of MISTAKES) {
  test(`ends with 2 and one line: ${message}`, async (context) => {
    const { command } = start(context, files, args, env);
    assert.deepEqual(await command.ended(), { code: 2, signal: null });
    const [line = "", ...more] = command.stderr.split("\n");
    assert.deepEqual(more, [""], "one line");
    if (typeof message === "string") assert.equal(line, `tsgun: ${message}`);
    else assert.match(line.replace(/^tsgun: /, ""), message);
  });
}

const READ_ANEW: [what: string, files: (count: number) => Record<string, string>][] = [
  [
    "JSON",
    (count) => ({ "tsgun.config.json": `{ "app": "app.mjs", "bind": "127.0.0.1:0", "workers": ${count} }` }),
  ],
  ["an ES module", (count) => ({ "tsgun.config.mjs": `export default { ...${BODY}, workers: ${count} };` })],
  ["CommonJS", (count) => ({ "tsgun.config.cjs": `module.exports = { ...${BODY}, workers: ${count} };` })],
  [
    "TypeScript",
    (count) => ({ "tsgun.config.ts": `export default { ...${BODY}, workers: ${count} as number };` }),
  ],
  [
    "an ES module that imports",
    (count) => ({
      "tsgun.config.mjs": `import { count } from "./a.mjs";\nimport more from "./more.json" with { type: "json" };\nexport default { ...${BODY}, workers: count + more.none };`,
      "a.mjs": 'export { count } from "./b.mjs";',
      "b.mjs":
        'import { createRequire } from "node:module";\nexport const { count } = createRequire(import.meta.url)("./c.cjs");',
      "c.cjs": 'module.exports = require("./d.cjs");',
      "d.cjs": `exports.count = ${count - 1};`,
      "more.json": '{ "none": 1 }',
    }),
  ],
  [
    "TypeScript that imports",
    (count) => ({
      "tsgun.config.ts": `import { count } from "./parts/count";\nexport default { ...${BODY}, workers: count };`,
      "parts/count.ts": `enum Count { Now = ${count} }\nexport const count: number = Count.Now;`,
      "package.json": ESM,
    }),
  ],
  [
    "TypeScript in CommonJS that imports",
    (count) => ({
      "tsgun.config.cts": `import count = require("./count.cjs");\nmodule.exports = { ...${BODY}, workers: count };`,
      "count.cjs": `module.exports = ${count};`,
    }),
  ],
];

for (const [what, files] of READ_ANEW) {
  test(`HUP reads ${what} again, with its imports`, async (context) => {
    const args = files(1)["tsgun.config.cts"] === undefined ? [] : ["-c", "tsgun.config.cts"];
    const { command, folder } = start(context, files(2), args);
    assert.equal(await workersOf(command), 2);
    for (const [generation, count] of [
      [2, 3],
      [3, 1],
    ] as const) {
      for (const [path, text] of Object.entries(files(count))) writeFileSync(join(folder, path), text);
      command.kill("SIGHUP");
      assert.equal(await workersOf(command, generation), count);
    }
  });
}

test("an invalid configuration at HUP is logged once, and the old generation stays", async (context) => {
  const { command, folder } = start(context, { "tsgun.config.mjs": `export default ${BODY};` });
  await command.ready();
  const pids = command.workers();
  writeFileSync(join(folder, "tsgun.config.mjs"), "export default {\n  workers: ,\n};");
  command.kill("SIGHUP");
  await command.line(/tsgun\.config\.mjs:2: Unexpected token ','/);
  writeFileSync(join(folder, "tsgun.config.mjs"), "export default { wrokers: 1 };");
  command.kill("SIGHUP");
  await command.line(/there is no setting wrokers/);
  assert.deepEqual(command.workers(), pids);
  assert.equal(command.lines(/syntax error/).length, 1);
  writeFileSync(join(folder, "tsgun.config.mjs"), `export default { ...${BODY}, workers: 3 };`);
  command.kill("SIGHUP");
  assert.equal(await workersOf(command, 2), 3);
});

test("HUP reads the file of the release that the link then points to", async (context) => {
  const folder = project(context, {
    "one/tsgun.config.mjs": `export default ${BODY};`,
    "one/app.mjs": APP,
    "two/tsgun.config.json": '{ "app": "app.mjs", "bind": "127.0.0.1:0", "workers": 3 }',
    "two/app.mjs": APP,
  });
  const current = join(folder, "current");
  symlinkSync("one", current);
  const command = startCommand(context, [], { cwd: current, env: { PWD: current } });
  assert.equal(await workersOf(command), 2);
  symlinkSync("two", `${current}.new`);
  renameSync(`${current}.new`, current);
  command.kill("SIGHUP");
  assert.equal(await workersOf(command, 2), 3);
  unlinkSync(current);
});

test("PORT changes the default of bind only", async (context) => {
  const port = await freePort();
  const { command } = start(context, {}, ["app.mjs"], { PORT: String(port) });
  assert.deepEqual(await command.urls(), [`http://0.0.0.0:${port}`]);
  const file = { "tsgun.config.mjs": `export default ${BODY};` };
  const { command: other } = start(context, file, [], { PORT: String(port) });
  assert.match((await other.urls())[0] ?? "", /^http:\/\/127\.0\.0\.1:/);
  const { command: shown } = start(context, {}, ["--print-config"], { PORT: "8765" });
  await shown.ended();
  assert.match(shown.stdout, /^bind +.*0\.0\.0\.0:8765.*PORT in the environment/m);
  const { command: wrong } = start(context, {}, ["app.mjs"], { PORT: "http" });
  assert.equal((await wrong.ended()).code, 2);
  assert.match(wrong.stderr, /^tsgun: bind: .* \(from PORT in the environment\)\n$/);
});
