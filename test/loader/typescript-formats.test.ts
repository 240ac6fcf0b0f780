/**
 * TypeScript runs as what its project compiles it to: each combination of `type` in package.json and `module` in
 * tsconfig.json, with what works in one format only. The verdicts are those of `tsc && node`, and of `tsx` where the
 * output of tsc does not run.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { APP_FIXTURES, fatal, type Loaded, load } from "../support/loading.ts";

const root = mkdtempSync(join(tmpdir(), "tsgun-formats-"));
after(() => rmSync(root, { recursive: true }));

interface Project {
  /** `type` in package.json. */
  readonly type?: "commonjs" | "module";
  /** `module` in tsconfig.json; null without the file. */
  readonly module: string | null;
  readonly format: "commonjs" | "module" | "by its syntax";
}

const PROJECTS: readonly Project[] = [
  { module: "commonjs", format: "commonjs" },
  { module: "nodenext", format: "commonjs" },
  { module: "none", format: "commonjs" },
  { module: "esnext", format: "by its syntax" },
  { module: "preserve", format: "by its syntax" },
  { module: null, format: "by its syntax" },
  { type: "commonjs", module: "commonjs", format: "commonjs" },
  { type: "commonjs", module: "Node16", format: "commonjs" },
  { type: "commonjs", module: "esnext", format: "commonjs" },
  { type: "commonjs", module: null, format: "commonjs" },
  { type: "module", module: "commonjs", format: "module" },
  { type: "module", module: "nodenext", format: "module" },
  { type: "module", module: "esnext", format: "module" },
  { type: "module", module: null, format: "module" },
];

function project(name: string, { type, module }: Pick<Project, "type" | "module">, options = {}): string {
  const folder = join(root, name);
  cpSync(join(APP_FIXTURES, "formats"), folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", ...(type && { type }) }));
  const legacy = join(folder, "node_modules", "legacy");
  mkdirSync(legacy, { recursive: true });
  writeFileSync(join(legacy, "package.json"), JSON.stringify({ name: "legacy" }));
  writeFileSync(
    join(legacy, "index.js"),
    "module.exports = () => {}; module.exports.named = require('./named.js');",
  );
  writeFileSync(join(legacy, "named.js"), "module.exports = 'a name';");
  if (module === null) return folder;
  const compilerOptions = {
    module,
    target: "es2022",
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    ...options,
  };
  writeFileSync(
    join(folder, "tsconfig.base.jsonc"),
    `{ // as editors write it\n "compilerOptions": ${JSON.stringify(compilerOptions)}, }`,
  );
  const paths = { "@lib/*": ["./lib/*"] };
  const config = { extends: "./tsconfig.base.jsonc", compilerOptions: { paths } };
  writeFileSync(join(folder, "tsconfig.json"), `/* the project */ ${JSON.stringify(config)}`);
  return folder;
}

function deepStack(loaded: Loaded | undefined): string {
  return loaded?.failed?.cause?.stack ?? "";
}

function bodyOf(loaded: Loaded | undefined, name: string): string {
  assert.ok(loaded?.answer, `${name}: ${JSON.stringify(loaded)}`);
  return loaded.answer.body;
}

const SPECS = ["habits", "equals", "modern", "everything"];

describe("TypeScript has the format of its project", () => {
  // All in one process: what a project says must not leak into the next.
  const jobs = PROJECTS.flatMap((given, index) => {
    const cwd = project(`p${index}`, given);
    return SPECS.map((spec) => ({ spec, cwd }));
  });
  let loaded: Loaded[] = [];
  before(async () => {
    loaded = await load(...jobs);
  });

  for (const [index, { format, type, module }] of PROJECTS.entries()) {
    test(`type ${type ?? "-"}, module ${module ?? "-"}: ${format}`, () => {
      const [habits, equals, modern, everything] = loaded.slice(index * SPECS.length);
      if (format === "module") {
        assert.match(fatal(habits, "habits").message, /is not defined in ES module scope .*"type": "module"/);
        assert.match(fatal(equals, "equals").message, /^cannot load equals\.ts: /);
      } else {
        assert.deepEqual(JSON.parse(bodyOf(habits, "habits")), {
          names: [`p${index}`, "habits.ts", true],
          same: true,
          isMain: true,
          argv: ["habits.ts"],
        });
        assert.equal(bodyOf(equals, "equals"), "a thing of export =");
      }
      assert.equal(bodyOf(modern, "modern"), "modern.ts");
      // Decorators and paths need the configuration.
      if (module === null) return;
      assert.deepEqual(JSON.parse(bodyOf(everything, "everything")), {
        moved: "by paths",
        named: "a name",
        legacy: "functionstring",
        data: { answer: 42 },
        sizes: [1, 4],
        types: ["Point", "Number"],
        service: 6,
        early: "hoisted",
      });
    });
  }

  test("and its extension goes before both: .mts imports names of .cts, and may use import =", async () => {
    const cwd = project("extensions", { module: "nodenext" });
    const [mixed] = await load({ spec: "imports-habits.mts", cwd });
    assert.equal(bodyOf(mixed, "imports-habits.mts"), "named.cts a thing imports-habits.mts");
  });

  test("without esModuleInterop, a namespace import is the module itself, as tsc has it", async () => {
    const cwd = project("interop", { module: "commonjs" }, { esModuleInterop: false });
    writeFileSync(
      join(cwd, "callable.ts"),
      'import * as legacy from "legacy";\nexport const handler = (_: unknown, respond: any) => respond(200, null, typeof legacy);',
    );
    const [callable] = await load({ spec: "callable", cwd });
    assert.equal(bodyOf(callable, "callable"), "function");
  });
});

describe("compiled CommonJS that fails is reported at its TypeScript line", () => {
  test("in a handler, an import, and a file that cannot be required", async () => {
    const cwd = project("failing", { module: "commonjs" });
    const write = (name: string, ...lines: string[]): void =>
      writeFileSync(join(cwd, name), lines.join("\n"));
    const unused = ["interface Unused {", "  readonly gone: string;", "}", ""];
    write("missing.ts", ...unused, 'import nothing from "./nothing";', "", "export const handler = nothing;");
    write("waits.ts", "export const late = await Promise.resolve(1);");
    write("needs.ts", ...unused, 'import { late } from "./waits";', "", "export const handler = late;");
    write("star.ts", ...unused, "", 'export * from "./nothing";');
    const specs = ["throwing", "missing", "needs", "star"];
    const [throwing, missing, needs, star] = await load(...specs.map((spec) => ({ spec, cwd })));
    assert.match(
      throwing?.threw?.stack ?? "",
      /^Error: thrown in line 11 of throwing\.ts\n.*throwing\.ts:11:9\)/,
    );
    assert.match(fatal(missing, "missing").message, /Cannot find module '\.\/nothing'/);
    assert.match(deepStack(missing), /missing\.ts:5:/);
    assert.match(
      fatal(needs, "needs").message,
      /waits\.ts has a top-level await, so require\(\) cannot load it/,
    );
    assert.match(deepStack(needs), /needs\.ts:5:/);
    assert.match(deepStack(star), /star\.ts:6:/);
  });
});

describe("the app's file is the main module, as under node FILE", () => {
  test("in JavaScript too, with none of our arguments", async () => {
    const cwd = project("javascript", { module: null });
    const main = { isMain: true, isRequired: false, argv: [], folder: cwd };
    const [loaded] = await load({ spec: "commonjs-main.js", cwd });
    assert.deepEqual(JSON.parse(bodyOf(loaded, "commonjs-main.js")), main);
  });

  test("and by import.meta.main, where Node has it", async () => {
    const cwd = project("meta-main", { type: "module", module: "esnext" });
    const [script, typed] = await load({ spec: "meta-main.js", cwd }, { spec: "meta-main-typed.ts", cwd });
    const seen = { isMain: "main" in import.meta, named: "a name", line: 7 };
    assert.deepEqual(JSON.parse(bodyOf(script, "meta-main.js")), seen);
    assert.deepEqual(JSON.parse(bodyOf(typed, "meta-main-typed.ts")), seen);
  });

  test("but not if the spec names an export", async () => {
    const cwd = project("named", { module: "commonjs" });
    const [script, typed] = await load(
      { spec: "commonjs-main.js:handler", cwd },
      { spec: "habits:handler", cwd },
    );
    const { isMain, isRequired, folder } = JSON.parse(bodyOf(script, "commonjs-main.js"));
    assert.deepEqual({ isMain, isRequired, folder }, { isMain: false, isRequired: true, folder: cwd });
    assert.equal(JSON.parse(bodyOf(typed, "habits")).isMain, false);
  });
});
