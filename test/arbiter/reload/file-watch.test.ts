/** `--reload` through the built command: which changes of files cause a reload, and how many. */
import assert from "node:assert/strict";
import { realpathSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FileWatch } from "../../../src/arbiter/reload/file-watch.ts";
import { ErrorLog } from "../../../src/log/error-log.ts";
import { temporaryFolder } from "../../support/command.ts";
import { Development, ESM, type Files } from "../../support/development.ts";

/** The same of CommonJS, whose requires leave the ending out. */
const REQUIRED: Files = {
  "package.json": "{}",
  "app.js": `const { name } = require("./lib/deep/name");
    exports.handler = (_, respond) => respond(200, {}, name + " 1");`,
  "lib/deep/name.js": 'exports.name = "esm";',
};

describe("a change", () => {
  test("is seen when an editor writes a new file and renames it", async (t) => {
    const server = new Development(t, ESM, "app.js");
    await server.answers("esm 1");
    for (const [index, text] of ["second", "third", "fourth"].entries()) {
      server.write("lib/deep/.name.js.swp", `export const name = "${text}";`);
      renameSync(server.path("lib/deep/.name.js.swp"), server.path("lib/deep/name.js"));
      await server.answers(`${text} 1`);
      assert.equal(server.reloads, index + 1);
    }
  });

  test("is seen when a file or its folder is removed and recreated", async (t) => {
    const server = new Development(t, ESM, "app.js");
    await server.steady(["esm 1", "back 1", "again 1"], async () => {
      rmSync(server.path("lib/deep/name.js"));
      await server.command.line(/Reload failed/);
      server.write("lib/deep/name.js", 'export const name = "back";');
      await server.answers("back 1");
      rmSync(server.path("lib"), { recursive: true });
      await server.command.line(/Reload failed/, 2);
      for (const name of ["lib/name.js", "lib/lazy.js"]) server.write(name, ESM[name] as string);
      server.write("lib/deep/name.js", 'export const name = "again";');
      await server.answers("again 1");
    });
  });

  for (const [kind, files] of [
    ["import", ESM],
    ["require", REQUIRED],
  ] as const) {
    test(`is seen when a link changes its target, or is replaced by a file: ${kind}`, async (t) => {
      const server = new Development(
        t,
        { ...files, "one.js": files["lib/deep/name.js"] as string },
        "app.js",
      );
      await server.answers("esm 1");
      const link = server.path("lib/deep/name.js");
      const lead = (to: string): void => {
        symlinkSync(to, server.path("link"));
        renameSync(server.path("link"), link);
      };
      lead("../../one.js");
      await server.command.ready(2);
      const text = (name: string): string =>
        (files["lib/deep/name.js"] as string).replace(/"\w+"/, `"${name}"`);
      server.write("two.js", text("second"));
      lead("../../two.js");
      await server.answers("second 1");
      server.write("two.js", text("changed"));
      await server.answers("changed 1");
      unlinkSync(link);
      server.write("lib/deep/name.js", text("third"));
      await server.answers("third 1");
    });
  }

  test("of many files at once causes one reload", async (t) => {
    const names = Array.from({ length: 40 }, (_, index) => `lib/part${index}.js`);
    const parts = names.map((name) => [name, "export default 1;"]);
    const imports = names.map((name, index) => `import part${index} from "./${name}";`).join("\n");
    const sum = names.map((_, index) => `part${index}`).join(" + ");
    const server = new Development(
      t,
      {
        "package.json": '{ "type": "module" }',
        "app.js": `${imports}\nexport const handler = (_, respond) => respond(200, {}, String(${sum}));`,
        ...Object.fromEntries(parts),
      },
      "app.js",
    );
    await server.answers("40");
    for (const name of names) server.write(`new/${name}`, "export default 2;");
    renameSync(server.path("lib"), server.path("old"));
    renameSync(server.path("new/lib"), server.path("lib"));
    await server.answers("80");
    await server.command.line(/Reloading: lib\/part\d+\.js and 39 others changed: generation 2$/);
    assert.equal(server.reloads, 1);
    server.write("lib/part0.js", "export default 3;");
    await server.answers("81");
  });

  test("that leaves a file as it was loaded causes no reload", async (t) => {
    const server = new Development(t, ESM, "app.js", ["--reload-extra-file", "note.txt"]);
    await server.answers("esm 1");
    server.write("lib/unused.js", "not loaded, and not even JavaScript");
    server.write("lib/deep/name.js", 'export const name = "second";');
    await server.answers("second 1");
    server.write("note.txt", "watched though no worker loads it");
    await server.command.line(/Reloading: note\.txt changed: generation 3$/);
    assert.equal(server.reloads, 2);
  });

  test("is seen by polling", async (t) => {
    const server = new Development(t, ESM, "app.js", ["--reload-engine", "poll"]);
    await server.answers("esm 1");
    server.write("lib/deep/name.js", 'export const name = "second";');
    await server.answers("second 1");
    server.write("lib/deep/name.js", 'export const name = "the third";');
    await server.answers("the third 1");
  });

  test("of an extra file, given by name, folder or glob, causes a reload", async (t) => {
    const extra = ["--reload-extra-file", ".env", "--reload-extra-file", "views/**/*.{html,txt}"];
    const server = new Development(t, { ...ESM, "views/a.html": "", "words/de.po": "" }, "app.js", [
      ...extra,
      "--reload-extra-file=words",
    ]);
    await server.answers("esm 1");
    const changes: [file: string, generation: number][] = [
      [".env", 2],
      ["views/a.html", 3],
      ["views/new/deep/b.txt", 4],
      ["words/de.po", 5],
    ];
    for (const [file, generation] of changes) {
      server.write("views/ignored.css", String(generation));
      server.write(file, String(generation));
      await server.command.line(new RegExp(`Reloading: ${file} changed: generation ${generation}$`));
      await server.command.ready(generation);
    }
    assert.equal(server.reloads, changes.length);
  });

  test("of a package causes a reload at the end of its installation, of a linked workspace at the file", async (t) => {
    const server = new Development(
      t,
      {
        "package.json": '{ "type": "module" }',
        "app.js": `import { one } from "one"; import { two } from "two";
          export const handler = (_, respond) => respond(200, {}, one + two);`,
        "node_modules/one/package.json": '{ "name": "one", "type": "module", "exports": "./index.js" }',
        "node_modules/one/index.js": 'export const one = "one";',
        "node_modules/.package-lock.json": "{}",
        "packages/two/package.json": '{ "name": "two", "type": "module", "exports": "./index.js" }',
        "packages/two/index.js": 'export const two = "two";',
        "node_modules/two/index.js": 'export { two } from "../../packages/two/index.js";',
        "node_modules/two/package.json": '{ "name": "two", "type": "module", "exports": "./index.js" }',
      },
      "app.js",
    );
    await server.answers("onetwo");
    server.write("packages/two/index.js", 'export const two = "zwei";');
    await server.answers("onezwei");
    server.write("node_modules/one/index.js", 'export const one = "eins";');
    server.write("node_modules/.package-lock.json", '{ "packages": {} }');
    await server.answers("einszwei");
    assert.deepEqual(
      server.command.lines(/Reloading: /).map((line) => /Reloading: (.*) changed/.exec(line)?.[1]),
      ["packages/two/index.js", "node_modules/.package-lock.json"],
    );
  });
});

test("HUP reloads, and TERM ends a server that waits for its app to be fixed", async (t) => {
  const server = new Development(t, { "app.mjs": "export const handler = 5;" }, "app.mjs");
  await server.command.line(/Waiting until a file changes/);
  server.command.kill("SIGHUP");
  await server.command.line(/Waiting until a file changes/, 2);
  server.write("app.mjs", "export const handler = (_, respond) => respond(200, {}, 'mended');");
  await server.answers("mended");
  server.command.kill("SIGHUP");
  await server.command.line(/Ready: generation \d+ serves/, 2);
  server.write("app.mjs", "throw new Error('broken');");
  await server.command.line(/Reload failed/);
  assert.deepEqual(await server.command.end(), { code: 0, signal: null });
});

test("a missing app is not waited for", async (t) => {
  const server = new Development(t, { "app.mjs": "" }, "ap.mjs");
  assert.deepEqual(await server.command.ended(), { code: 4, signal: null });
  assert.match(server.command.stderr, /did you mean app\.mjs\?\n$/);
});

test("a file removed before the watcher has reached it counts as changed", async (t) => {
  const folder = realpathSync(temporaryFolder(t));
  const changes: string[] = [];
  const watch = await new Promise<FileWatch>((resolve) => {
    const made: FileWatch = new FileWatch({
      folder,
      engine: "auto",
      extraFiles: [],
      ownFiles: [],
      log: new ErrorLog(),
      changed: (files) => {
        changes.push(...files);
        if (changes.length === 1) made.loaded(1, [{ path: join(folder, "later.js"), stamp: "as it was" }]);
        else resolve(made);
      },
    });
    t.after(() => made.close());
    writeFileSync(join(folder, "there.js"), "");
    made.loaded(1, [{ path: join(folder, "gone.js"), stamp: "as it was" }]);
  });
  watch.close();
  assert.deepEqual(changes, ["gone.js", "later.js"]);
});
