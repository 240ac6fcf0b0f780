import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fatal, load } from "../support/loading.ts";

const MODULE = "typescript";
const COMMONJS = "typescript-commonjs";

describe("an app in TypeScript", () => {
  test("may use enums, decorators with metadata, paths, and imports with or without a JavaScript extension", async () => {
    const [app] = await load({ spec: "app:handler", cwd: MODULE });
    assert.equal(app?.hooks, true);
    assert.deepEqual(JSON.parse(app?.answer?.body ?? JSON.stringify(app)), {
      colour: "RED",
      moved: "6",
      types: ["Point", "Number"],
      answer: 42,
    });
  });

  test("may be CommonJS: .cts with import = and export =, .ts with require and module.exports", async () => {
    const [cts, ts] = await load({ spec: "app", cwd: COMMONJS }, { spec: "required", cwd: COMMONJS });
    assert.deepEqual(cts?.answer, { status: 200, body: "part 1" });
    assert.deepEqual(ts?.answer, { status: 200, body: "part" });
  });

  test('needs no "type" in package.json for import, export and top-level await', async () => {
    const [app] = await load({ spec: "app", cwd: "untyped" });
    assert.deepEqual(app?.answer, { status: 200, body: "hello untyped" });
  });
});

describe("stack traces have TypeScript lines", () => {
  test("when a handler throws", async () => {
    const [module, commonjs] = await load(
      { spec: "throwing-handler", cwd: MODULE },
      { spec: "throwing-handler", cwd: COMMONJS },
    );
    assert.match(module?.threw?.stack ?? "", /^Error: thrown in line 8\n.*throwing-handler\.ts:8:\d+\)/);
    assert.match(commonjs?.threw?.stack ?? "", /^Error: thrown in line 7\n.*throwing-handler\.cts:7:\d+\)/);
  });

  test("when a module throws at import, and its line is named", async () => {
    const [module, commonjs] = await load(
      { spec: "throwing-import", cwd: MODULE },
      { spec: "throwing-import", cwd: COMMONJS },
    );
    const thrown = fatal(module, "throwing-import.ts");
    assert.equal(
      thrown.message,
      "cannot load throwing-import.ts: RangeError: exploded while loading (at lib/explode.ts:5)",
    );
    assert.match(thrown.cause?.stack ?? "", /lib\/explode\.ts:5:9\)\n.*throwing-import\.ts:3:24/);
    assert.equal(
      fatal(commonjs, "throwing-import.cts").message,
      "cannot load throwing-import.cts: thrown in line 6 (at throwing-import.cts:6)",
    );
  });
});

describe("a compile error is reported with file, line and reason", () => {
  const failures: [cwd: string, spec: string, place: string, reason: string][] = [
    [MODULE, "broken-syntax.ts", "broken-syntax.ts:10", "Unexpected token"],
    [
      MODULE,
      "broken-await.ts",
      "broken-await.ts:6",
      "`await` is only allowed within async functions and at the top levels of modules",
    ],
    // Only V8 minds this one, in the compiled code.
    [MODULE, "broken-twice.ts", "broken-twice.ts:7", "Identifier 'other' has already been declared"],
    [MODULE, "imports-broken.ts", "broken-twice.ts:7", "Identifier 'other' has already been declared"],
    [MODULE, "broken-end.ts", "broken-end.ts:4", "Expected `}` but found `EOF`"],
    [COMMONJS, "broken-syntax.cts", "broken-syntax.cts:5", "Expression expected"],
    [COMMONJS, "broken-twice.cts", "broken-twice.cts:6", "Identifier 'shape' has already been declared"],
  ];

  test("in ES modules and CommonJS", async () => {
    const results = await load(...failures.map(([cwd, spec]) => ({ spec, cwd })));
    for (const [index, [, spec, place, reason]] of failures.entries()) {
      const { message, cause } = fatal(results[index], spec);
      assert.equal(message, `cannot load ${spec}: syntax error in ${place}: ${reason}`);
      assert.ok(cause?.stack, "the compiler's own error is the cause");
    }
  });

  test("also a link error, and CommonJS idioms in an ES module", async () => {
    const [name, file, habits] = await load(
      { spec: "missing-name", cwd: MODULE },
      { spec: "missing-import", cwd: MODULE },
      { spec: "commonjs-habits", cwd: MODULE },
    );
    assert.equal(
      fatal(name, "missing-name").message,
      "cannot load missing-name.ts: The requested module './lib/colour.ts' does not provide an export named " +
        "'Collor' (at missing-name.ts:5)",
    );
    assert.match(
      fatal(file, "missing-import").message,
      /^cannot load missing-import\.ts: Cannot find module '\S+nowhere\.ts' imported from \S+missing-import\.ts$/,
    );
    assert.match(
      fatal(habits, "commonjs-habits").message,
      /__dirname is not defined .*\(at commonjs-habits\.ts:3\); .*"type": "module".*use import\.meta\.dirname or createRequire/,
    );
  });
});
