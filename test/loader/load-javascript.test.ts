import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { APP_FIXTURES, failureOf, fatal, load } from "../support/loading.ts";

const cwd = "javascript";

describe("an app in JavaScript", () => {
  const answers: [string, string][] = [
    ["app", "app.js"],
    ["app.js:handler", "app.js"],
    [join(APP_FIXTURES, cwd, "app.js"), "app.js"],
    ["names", "app before default"],
    ["names:default", "default"],
    ["names:api.v1.serve", "a dotted name"],
    ["names:later", "a promise"],
    ['names:factories.create("x", {"a": [1, true]})', 'Hello x {"a":[1,true]}'],
    ['names:createLater("late")', "late"],
    ["unnamed:serve", "found by its name only"],
    ["function", "module.exports is the handler"],
    ["function:default", "module.exports is the handler"],
    ["transpiled", "module.exports.default"],
    ["transpiled:default", "module.exports.default"],
    ["object", "module.exports.handler"],
    ["object:handler", "module.exports.handler"],
    ["folder", "folder/index.mjs"],
  ];

  test("is found by every notation, without loading the TypeScript compiler", async () => {
    const results = await load(...answers.map(([spec]) => ({ spec, cwd })));
    for (const [index, [spec, body]] of answers.entries()) {
      assert.deepEqual(
        results[index]?.answer,
        { status: 200, body },
        `${spec}: ${JSON.stringify(results[index])}`,
      );
      assert.equal(results[index]?.hooks, false, `${spec} registered the TypeScript hooks`);
    }
  });

  test("yields to TypeScript of the same name, unless its extension is given", async () => {
    const [script, typed] = await load({ spec: "both.js", cwd }, { spec: "both", cwd });
    assert.equal(script?.answer?.body, "both.js");
    assert.equal(script?.hooks, false);
    assert.equal(typed?.answer?.body, "both.ts");
  });
});

describe("an app in a package", () => {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-loader-"));
  after(() => rmSync(folder, { recursive: true }));
  const shelf = join(folder, "node_modules", "shelf");
  mkdirSync(shelf, { recursive: true });
  const handler = (text: string): string => `(_request, respond) => respond(200, null, "${text}")`;
  const only = { ".": { import: "./main.js" }, "./sub": "./sub.cjs" };
  writeFileSync(
    join(shelf, "package.json"),
    JSON.stringify({ name: "shelf", type: "module", exports: only }),
  );
  writeFileSync(join(shelf, "main.js"), `export const handler = ${handler("from a package")};`);
  writeFileSync(join(shelf, "sub.cjs"), `exports.app = ${handler("from a subpath")};`);

  test("is resolved from the working folder", async () => {
    const [sub] = await load({ spec: "shelf/sub:app", cwd: folder });
    assert.deepEqual(sub?.answer, { status: 200, body: "from a subpath" });
  });

  test("may be an ES module only", async () => {
    // Node 20 and 22 warn of an experimental feature, on stderr.
    const [main] = await load({ spec: "shelf", cwd: folder, warnings: true });
    assert.deepEqual(main?.answer, { status: 200, body: "from a package" });
  });

  test("is reported in one line if it is missing", async () => {
    const missing = await failureOf({ spec: "shelves:app", cwd: folder });
    assert.equal(
      missing.message,
      'cannot find the app module "shelves": looked for shelves.{ts,mts,cts,js,mjs,cjs} and shelves/index.* ' +
        `in ${folder}, then for a package "shelves"`,
    );
    const subpath = await failureOf({ spec: "shelf/nothing", cwd: folder, warnings: true });
    assert.match(
      subpath.message,
      /^cannot load shelf\/nothing: Package subpath '\.\/nothing' is not defined/,
    );
  });
});

describe("a faulty app is reported in one line", () => {
  const failures: [string, string | RegExp][] = [
    [
      "ap",
      'cannot find the app module "ap": looked for ap.{ts,mts,cts,js,mjs,cjs} and ap/index.* in ' +
        `${join(APP_FIXTURES, cwd)}, then for a package "ap"; did you mean app.js?`,
    ],
    [
      "apps.js:handler",
      `cannot find the app module "apps.js": looked for apps.js in ${join(APP_FIXTURES, cwd)}; did you mean app.js?`,
    ],
    [
      "./nowhere/app",
      /^cannot find the app module "\.\/nowhere\/app": looked for nowhere\/app\.\{ts,.* in \S+$/,
    ],
    ["app:handlr", 'app.js exports no "handlr"; did you mean "handler"? it exports handler'],
    ["names:listener", /^names\.js exports no "listener"; it exports Application, .* and 2 more$/],
    ["names:api.v1.server", 'api.v1 of names.js has no "server"; did you mean "serve"? it has serve'],
    ["names:unset", "unset of names.js is undefined"],
    ["names:count.x", 'count of names.js has no "x"; it has nothing'],
    [
      "unnamed",
      "unnamed.js exports none of handler, app, default; it exports serve (name one: unnamed:serve)",
    ],
    ["exports-nothing", "exports-nothing.js exports none of handler, app, default; it exports nothing"],
    ["nothing.cjs", "nothing.cjs exports none of handler, app, default; it exports nothing"],
    [
      "names:config",
      "names.js:config is an object with the properties port, host, not an app: an app has a method handle " +
        "(gateway) or fetch",
    ],
    ["names:count", /^names\.js:count is a number, not an app: /],
    ["names:Application", "names.js:Application is a class, not an app: export an instance of it"],
    [
      "names:nothing",
      /^names\.js:nothing takes no parameters, so it cannot respond to a request; if it returns the app, name its call: names\.js:nothing\(\)$/,
    ],
    [
      "names:config()",
      "names.js:config is not a function, so it cannot be called: leave the parentheses out",
    ],
    ["names:createNothing()", "names.js:createNothing() returned nothing: a factory must return the app"],
    [
      "names:createBadly()",
      "names.js:createBadly() failed: TypeError: the factory is broken (at names.js:36)",
    ],
    ["names:never", "names.js:never rejected: no database (at names.js:13)"],
    ["bad-app", "bad-app.js:handler.startup is string, not a function"],
    ["throwing-text", 'cannot load throwing-text.js: it threw "just text", which is not an Error'],
    ["throwing-import", /^cannot load throwing-import\.js: ENOENT: .* \(at throwing-import\.js:3\)$/],
    [
      "missing-package",
      /^cannot load missing-package\.js: Cannot find package 'no-such-package' imported from \S+$/,
    ],
    [
      "missing-module",
      "cannot load missing-module.cjs: Cannot find module './nowhere' (at missing-module.cjs:1)",
    ],
    [
      "broken-syntax.js",
      "cannot load broken-syntax.js: syntax error in broken-syntax.js:3: Unexpected identifier 'y'",
    ],
    [
      "imports-broken",
      "cannot load imports-broken.js: syntax error in broken-syntax.js:3: Unexpected identifier 'y'",
    ],
    [
      "broken-syntax.cjs",
      "cannot load broken-syntax.cjs: syntax error in broken-syntax.cjs:3: Unexpected identifier 'y'",
    ],
    ["imports-typescript", /greeting\.ts.*; give the app's own file the extension \.ts/],
  ];

  test("with exit code 4", async () => {
    const results = await load(...failures.map(([spec]) => ({ spec, cwd })));
    for (const [index, [spec, expected]] of failures.entries()) {
      const { message } = fatal(results[index], spec);
      if (typeof expected === "string") assert.equal(message, expected);
      else assert.match(message, expected);
    }
  });

  test("the error of the app is the cause, with its stack", async () => {
    const [factory, module] = await load(
      { spec: "names:createBadly()", cwd },
      { spec: "throwing-import", cwd },
    );
    assert.equal(fatal(factory, "createBadly").cause?.name, "TypeError");
    assert.match(
      fatal(factory, "createBadly").cause?.stack ?? "",
      /at createBadly \(file:.*names\.js:36:9\)/,
    );
    assert.match(fatal(module, "throwing-import").cause?.stack ?? "", /throwing-import\.js:3/);
  });
});
