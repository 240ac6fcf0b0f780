/** `tsgun init` through the built command: what it finds, what it writes, and what it leaves alone. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  lchownSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { COMMAND, startCommand } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { initialise, projectOf } from "../support/init.ts";

const APP = `import type { Handler } from "tsgun";
export const handler: Handler = (request, respond) => {
  respond(200, {}, "shop at " + request.path);
};
`;
const SHOP = {
  "package.json": '{ "name": "shop", "type": "module", "dependencies": { "tsgun": "*" } }',
  "app.ts": APP,
};

const CONFIG = "tsgun.config.ts";
const NGINX = "deploy/nginx/shop.conf";
const UNITS = ["deploy/systemd/shop.socket", "deploy/systemd/shop.service"];
const KUBERNETES = "deploy/kubernetes/shop.yaml";
const GRAFANA = [
  "deploy/grafana/shop.json",
  "deploy/prometheus/prometheus.yml",
  "deploy/prometheus/shop.rules.yml",
];

/** Every file of the project but the packages. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

describe("the app that it finds", () => {
  const cases: [string, Record<string, string>, string][] = [
    ["app.ts with a handler", { "app.ts": APP }, "app.ts:handler"],
    ["a default export below src", { "src/index.ts": "export default { fetch() {} };\n" }, "src/index.ts"],
    [
      "main, before a file with a usual name",
      {
        "package.json": '{ "main": "./lib/web.cjs" }',
        "lib/web.cjs": "exports.app = () => {};\n",
        "app.js": APP,
      },
      "lib/web.cjs:app",
    ],
    [
      "what the start script runs",
      {
        "package.json": '{ "scripts": { "start": "NODE_ENV=production node --enable-source-maps web.js" } }',
        "web.js": "const app = {};\nmodule.exports = app;\n",
      },
      "web.js",
    ],
    [
      "what the script dev watches",
      {
        "package.json": '{ "scripts": { "dev": "tsx watch src/web.ts" } }',
        "src/web.ts": "const app = 1;\nexport { app };\n",
      },
      "src/web.ts:app",
    ],
    [
      "TypeScript before what is compiled from it",
      { "server.js": "exports.app = 1;\n", "server.ts": "export const app = 1;\n" },
      "server.ts:app",
    ],
    [
      "a list of exports, under their outer names",
      { "server.mjs": "const a = 1;\nexport { a as handler, b };\n" },
      "server.mjs:handler",
    ],
    [
      "an object of exports",
      {
        "index.cjs": "module.exports = { listen, app: make() };\n",
        "package.json": '{ "main": "index.cjs" }',
      },
      "index.cjs:app",
    ],
    [
      "the first that exports one, not what is commented out",
      {
        "app.js": "// export default app;\n/*\nexport default app;\n*/\n",
        "server.js": "export default app;\n",
      },
      "server.js",
    ],
  ];
  for (const [what, files, app] of cases) {
    test(what, (t) => {
      const { status, stdout, stderr } = initialise(projectOf(t, files), "config", "--dry-run");
      assert.equal(status, 0, stderr);
      assert.ok(stdout.includes(`  app: ${JSON.stringify(app)},\n`), stdout);
    });
  }

  test("--app names the app", (t) => {
    const folder = projectOf(t, { "web.ts": "export function create() {}\n" });
    const { stdout } = initialise(folder, "config", "--dry-run", "--app", 'web.ts:create("x")');
    assert.ok(stdout.includes(String.raw`  app: "web.ts:create(\"x\")",`), stdout);
  });

  test("an unexported Express app is refused with advice", (t) => {
    const folder = projectOf(t, {
      "package.json": '{ "main": "app.js" }',
      "app.js": "const express = require('express')\nconst app = express()\n\napp.listen(3000)\n",
    });
    const { status, stderr } = initialise(folder);
    assert.equal(status, 2);
    assert.equal(
      stderr,
      "tsgun: app.js exports no app: export it (module.exports = app, or export default app), without its listen() call; " +
        "or name it: tsgun init --app server.ts:app\n",
    );
    assert.deepEqual(filesIn(folder), ["app.js", "package.json"]);
  });

  test("an app that calls listen() gets a note", (t) => {
    const folder = projectOf(t, { "app.ts": `${APP}\nserver.listen(3000);\n` });
    assert.match(initialise(folder).stdout, /^Note: app\.ts calls listen\(\)/m);
  });

  test("an app that listens only as the main program gets no note", (t) => {
    const folder = projectOf(t, {
      "app.cjs": "module.exports = app;\nif (require.main === module) app.listen(3000);\n",
    });
    assert.doesNotMatch(initialise(folder).stdout, /listen/);
  });

  test("no app, a broken package.json and a missing module are one-line errors", (t) => {
    const trouble = (files: Record<string, string>, ...words: string[]): [number | null, string] => {
      const { status, stderr } = initialise(projectOf(t, files), ...words);
      return [status, stderr.split("\n").length === 2 ? stderr : `several lines: ${stderr}`];
    };
    assert.match(trouble({})[1], /^tsgun: there is no app in \/.*: tried .*app.*src\/index/);
    assert.match(trouble({ "package.json": "{" })[1], /^tsgun: cannot read package\.json in \//);
    assert.deepEqual(trouble({}, "--app", "web.ts:app")[0], 4);
  });
});

describe("what it writes", () => {
  test("without a terminal it writes the configuration and lists the other files", (t) => {
    const folder = projectOf(t, SHOP);
    const { status, stdout } = initialise(folder);
    assert.equal(status, 0);
    assert.deepEqual(filesIn(folder), ["app.ts", "package.json", CONFIG]);
    assert.match(stdout, /^See also: tsgun init nginx\|systemd\|docker\|kubernetes\|grafana$/m);
  });

  test("it writes only the named files", (t) => {
    const expected: [string, string[]][] = [
      ["config", [CONFIG]],
      ["nginx", [NGINX]],
      ["systemd", UNITS],
      ["docker", ["Dockerfile", ".dockerignore"]],
      ["kubernetes", [KUBERNETES]],
      ["grafana", GRAFANA],
    ];
    for (const [word, files] of expected) {
      const folder = projectOf(t, SHOP);
      assert.equal(initialise(folder, word).status, 0);
      assert.deepEqual(filesIn(folder), [...files, "app.ts", "package.json"].sort(), word);
    }
  });

  test("on a terminal it asks about each file", (t) => {
    if (!hasComponent(t, "script", "bsdutils")) return;
    const folder = projectOf(t, SHOP);
    const command = `${process.execPath} ${COMMAND} init`;
    const answered = (input: string): string =>
      spawnSync("script", ["-qec", command, "/dev/null"], {
        cwd: folder,
        encoding: "utf8",
        input,
        timeout: 30_000,
      }).stdout;
    const text = answered("\nn\ny\n\nn\nn\n");
    for (const word of ["configuration", "nginx", "systemd", "Dockerfile", "Kubernetes", "Grafana"]) {
      assert.match(text, new RegExp(`Write .*${word}.*\\?`));
    }
    assert.deepEqual(filesIn(folder), ["app.ts", "package.json", ...UNITS, CONFIG].sort());
    assert.match(answered("y\ny\n\u0004"), /tsgun: tsgun init was aborted: nothing was written/);
    assert.deepEqual(filesIn(folder), ["app.ts", "package.json", ...UNITS, CONFIG].sort());
  });

  test("it writes JavaScript for a project without TypeScript", (t) => {
    const folder = projectOf(t, { "app.mjs": "export default () => {};\n" });
    initialise(folder, "config");
    assert.deepEqual(filesIn(folder), ["app.mjs", "tsgun.config.mjs"]);
  });

  test("--dry-run prints the files and writes nothing", (t) => {
    const folder = projectOf(t, SHOP);
    const { stdout } = initialise(folder, "systemd", "config", "--dry-run");
    assert.deepEqual(filesIn(folder), ["app.ts", "package.json"]);
    const heads = stdout.split("\n").filter((line) => line.startsWith("==>"));
    assert.deepEqual(
      heads,
      [CONFIG, ...UNITS].map((path) => `==> ${path} <==`),
    );
    initialise(folder, "config");
    assert.ok(stdout.includes(readFileSync(join(folder, CONFIG), "utf8")));
  });

  test("an existing file is kept without --force", (t) => {
    const folder = projectOf(t, { ...SHOP, Dockerfile: "mine", ".dockerignore": "mine" });
    const kept = initialise(folder, "docker", "nginx");
    assert.equal(kept.status, 1);
    assert.match(kept.stderr, /^kept {3}Dockerfile, which exists: --force overwrites it$/m);
    const read = (path: string): string => readFileSync(join(folder, path), "utf8");
    assert.deepEqual(
      [read("Dockerfile"), read(".dockerignore"), existsSync(join(folder, NGINX))],
      ["mine", "mine", true],
    );
    assert.equal(initialise(folder, "docker", "--force").status, 0);
    assert.match(read("Dockerfile"), /^FROM /m);
    assert.match(read(".dockerignore"), /^node_modules$/m);
  });

  test("nothing is written through another user's link, with --force or without", {
    skip: process.geteuid?.() !== 0 && "only root can give a link to another user",
  }, (t) => {
    const folder = projectOf(t, SHOP);
    for (const [name, words, says] of [
      ["dangling", ["config"], /cannot write .*tsgun\.config\.ts: EEXIST/],
      ["victim", ["config", "--force"], /the symbolic link .* is another user's \(uid 65534\)/],
    ] as const) {
      const target = join(folder, name);
      if (name === "victim") writeFileSync(target, "precious");
      const link = join(folder, CONFIG);
      symlinkSync(target, link);
      lchownSync(link, 65_534, 65_534);
      const { status, stderr } = initialise(folder, ...words);
      assert.equal(status, 1, stderr);
      assert.match(stderr, says);
      rmSync(link);
    }
    assert.ok(!existsSync(join(folder, "dangling")));
    assert.equal(readFileSync(join(folder, "victim"), "utf8"), "precious");
  });

  test("a second configuration with another extension is refused", (t) => {
    const folder = projectOf(t, { ...SHOP, "tsgun.config.json": '{ "app": "app.ts" }' });
    for (const force of [[], ["--force"]]) {
      const { status, stderr } = initialise(folder, "config", "nginx", ...force);
      assert.equal(status, 2);
      assert.match(stderr, /^tsgun: there is already a configuration: remove tsgun\.config\.json, or /);
    }
    assert.deepEqual(filesIn(folder), ["app.ts", "package.json", "tsgun.config.json"]);
  });

  test("unknown words and flags are refused", (t) => {
    const folder = projectOf(t, SHOP);
    const trouble = (...words: string[]): string => {
      const { status, stderr } = initialise(folder, ...words);
      assert.equal(status, 2);
      return stderr;
    };
    assert.equal(
      trouble("apache"),
      "tsgun: tsgun init cannot write apache: choose from config, nginx, systemd, docker, kubernetes, grafana\n",
    );
    assert.match(trouble("--dri-run"), /^tsgun: unknown option '--dri-run'.* \(see tsgun init --help\)\n$/s);
    assert.match(trouble("--folder", "shop"), /"shop" is not an absolute path/);
    assert.match(trouble("--domain", "a;b"), /"a;b" is not a domain/);
  });
});

describe("the configuration", () => {
  test("the written one passes --check-config and serves", async (t: TestContext) => {
    const folder = projectOf(t, SHOP);
    initialise(folder, "config");
    const checked = startCommand(t, ["--check-config"], { cwd: folder });
    assert.deepEqual(await checked.ended(), { code: 0, signal: null });
    assert.match(checked.stdout, /the app loads: app\.ts:handler \(gateway handler\)/);
    const server = startCommand(t, ["--bind", "127.0.0.1:0", "--workers", "1"], { cwd: folder });
    await server.ready();
    const answer = await fetch(`http://127.0.0.1:${await server.port()}/x`);
    assert.equal(await answer.text(), "shop at /x");
  });

  test("an existing one determines the other files", (t) => {
    const folder = projectOf(t, SHOP);
    writeFileSync(
      join(folder, "tsgun.config.mjs"),
      `export default {
        app: "app.ts", bind: ["unix:/run/other/web.sock", "0.0.0.0:7000"], backlog: 99, gracefulTimeout: "90s",
        drainDelay: "20s", requestTimeout: "2m", keepAlive: 30, bootTimeout: "2m", limitRequestBody: "1MB",
      };`,
    );
    const { stdout } = initialise(folder, "nginx", "systemd", "docker", "kubernetes", "--dry-run");
    for (const line of [
      "  server unix:/run/other/web.sock max_fails=0;",
      "  keepalive_timeout 15s;",
      "    proxy_read_timeout 150s;",
      "  client_max_body_size 1048576;",
      "ListenStream=/run/other/web.sock\nListenStream=0.0.0.0:7000",
      "Backlog=99",
      "TimeoutStopSec=125s",
      "TimeoutStartSec=150s",
      "      terminationGracePeriodSeconds: 125",
      '"--drain-delay", "20s"',
      "--start-period=120s",
    ]) {
      assert.ok(stdout.includes(line), `${line} is not in\n${stdout}`);
    }
  });

  test("the written one has the bind for nginx if there is no socket unit", (t) => {
    const folder = projectOf(t, SHOP);
    const config = (...words: string[]): string => initialise(folder, "config", "--dry-run", ...words).stdout;
    assert.match(config("nginx"), /^ {2}bind: "unix:\/run\/shop\.sock",$/m);
    const site = initialise(projectOf(t, SHOP), "nginx").stdout;
    assert.match(site, /^Next: .*: sudo npx tsgun --bind unix:\/run\/shop\.sock --user /m);
    assert.match(config("nginx"), /^ {2}server unix:\/run\/shop\.sock /m);
    assert.doesNotMatch(config("nginx", "systemd"), /bind:/);
    assert.match(config("nginx", "systemd"), /^ListenStream=\/run\/shop\.sock$/m);
  });
});
