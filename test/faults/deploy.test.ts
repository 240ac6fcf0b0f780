/** Bad deploys under load: the old generation serves every request, and the reason is logged once. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FaultStage } from "../support/fault-stage.ts";

interface BadDeploy {
  readonly what: string;
  readonly source: string;
  /** Part of the line that names the reason. */
  readonly reason: RegExp;
  /** The stack frame of the app's line that threw, if one threw. */
  readonly frame?: RegExp;
  /** The file that is replaced. Default: the app's. */
  readonly file?: string;
}

const BAD_DEPLOYS: readonly BadDeploy[] = [
  { what: "does not parse", source: "export const handler = (;\n", reason: /mirror\.mjs/ },
  {
    what: "throws at import",
    source: 'import "node:fs";\n\nthrow new Error("no licence");\n',
    reason: /no licence/,
    frame: /^ +at .*mirror\.mjs:3/,
  },
  { what: "imports what is not there", source: 'import "./gone.mjs";\n', reason: /gone\.mjs/ },
  { what: "exports no app", source: "export const answer = 42;\n", reason: /mirror\.mjs.*answer/ },
  {
    what: "rejects in startup",
    source:
      'export const app = {\n  handle() {},\n  async startup() {\n    throw new Error("no database");\n  },\n};\n',
    reason: /no database/,
    frame: /^ +at .*mirror\.mjs:4/,
  },
  {
    what: "throws behind the back of startup",
    source:
      "export const app = {\n  handle() {},\n  startup() {\n" +
      '    setTimeout(() => { throw new Error("a late one"); }, 10);\n    return new Promise(() => {});\n  },\n};\n',
    reason: /a late one/,
    frame: /^ +at .*mirror\.mjs:4/,
  },
  {
    what: "exits with 0",
    source: "process.exit(0);\n",
    reason: /the app called process\.exit\(0\) while it was loaded \(at mirror\.mjs:1\)/,
  },
  {
    what: "exits with 7",
    source: "process.exitCode = 7;\nprocess.exit();\n",
    reason: /the app called process\.exit\(7\) while it was loaded \(at mirror\.mjs:2\)/,
  },
  {
    what: "neither exports nor listens",
    source: "export const port = 3000;\n",
    reason: /mirror\.mjs exports none of .*; nor does mirror\.mjs make a server listen/,
  },
  {
    what: "throws after it has listened",
    source:
      'import { createServer } from "node:http";\ncreateServer(() => {}).listen(0);\nthrow new Error("no database");\n',
    reason: /no database/,
  },
];

const HANGING_DEPLOYS: readonly BadDeploy[] = [
  {
    what: "hangs in startup",
    source: "export const app = { handle() {}, startup: () => new Promise(() => {}) };\n",
    reason: /within 5s/,
  },
  { what: "hangs while it is imported", source: "for (;;);\n", reason: /within 5s/ },
];

/** Bad only with --warmup-path: a worker must answer its warm-up request before it counts as ready. */
const COLD_DEPLOYS: readonly BadDeploy[] = [
  {
    what: "refuses its warm-up",
    source: 'export const handler = (_request, respond) => respond(503, null, "cold");\n',
    reason: /GET \/warm was answered with 503/,
  },
  {
    what: "throws in its warm-up",
    source: 'export const handler = (_request, _respond) => {\n  throw new Error("cold");\n};\n',
    reason: /GET \/warm was answered with 500/,
    frame: /^ +at .*mirror\.mjs:2/,
  },
];

const CONFIG = "tsgun.config.mjs";
const GOOD_CONFIG = "export default { gracefulTimeout: 29 };\n";
/** Only for deploys that hang, since the test waits that long: other boots may take longer on a busy machine. */
const TIGHT_CONFIG = 'export default { bootTimeout: "5s" };\n';

const BAD_CONFIGS: readonly BadDeploy[] = [
  { what: "does not parse", source: "export default {\n  timeout: ;\n};\n", reason: /tsgun\.config\.mjs:2/ },
  {
    what: "throws",
    source: '\nthrow new Error("no vault");\n',
    reason: /tsgun\.config\.mjs.*no vault/,
  },
  {
    what: "rejects",
    source: 'export default async () => {\n  throw new Error("no vault");\n};\n',
    reason: /tsgun\.config\.mjs.*no vault/,
  },
  { what: "holds nothing", source: "export const workers = 2;\n", reason: /no default export/ },
  { what: "has an unknown setting", source: "export default { wrokers: 2 };\n", reason: /wrokers.*workers/ },
  { what: "has a value that is none", source: "export default { timeout: -1 };\n", reason: /timeout/ },
].map((config) => ({ ...config, file: CONFIG }));

const WARM_UP = ["--warmup-path", "/warm"];

const SERVERS = [
  { workers: 1, args: [], what: "fail", deploys: BAD_DEPLOYS, nginx: false },
  { workers: 4, args: WARM_UP, what: "fail", deploys: [...BAD_DEPLOYS, ...COLD_DEPLOYS], nginx: false },
  { workers: 2, args: [], what: "hang", deploys: HANGING_DEPLOYS, config: TIGHT_CONFIG, nginx: false },
  { workers: 2, args: [], what: "fail", deploys: [...BAD_DEPLOYS, ...BAD_CONFIGS], nginx: true },
];

for (const { workers, args, what: fate, deploys, config = GOOD_CONFIG, nginx } of SERVERS) {
  test(`deploys that ${fate}, ${workers} workers${nginx ? ", behind nginx too" : ""}`, async (context) => {
    const stage = await FaultStage.start(context, {
      workers,
      args,
      prepare: (folder) => writeFileSync(join(folder, CONFIG), GOOD_CONFIG),
    });
    await (nginx ? stage.loadWithNginx(context) : stage.load());
    const pids = await stage.settled();
    const good = readFileSync(join(stage.folder, stage.app), "utf8");
    stage.deploy(config, CONFIG);
    for (const [index, { what, source, reason, frame, file }] of deploys.entries()) {
      const before = stage.command.stderr.length;
      stage.deploy(source, file);
      stage.command.kill("SIGHUP");
      const line = await stage.command.line(/Reload failed, generation 1 stays: /, index + 1);
      assert.match(line, reason, what);
      assert.deepEqual(await stage.settled(), pids, what);
      if (frame !== undefined) {
        const frames = stage.command.stderr
          .slice(before)
          .split("\n")
          .filter((text) => frame.test(text));
        assert.equal(
          frames.length,
          1,
          `${what}: the app's own stack is logged once: ${stage.command.stderr}`,
        );
      }
      await stage.more(5);
    }
    assert.equal(stage.command.lines(/Reload failed/).length, deploys.length);
    stage.deploy(good);
    stage.deploy(GOOD_CONFIG, CONFIG);
    stage.command.kill("SIGHUP");
    await stage.command.line(/Ready: generation \d+ serves/, 2);
    await stage.more(10);
    await stage.assertNothingLost(deploys.length * 5);
    await stage.end();
  });
}
