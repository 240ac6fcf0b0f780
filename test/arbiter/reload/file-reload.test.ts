/** `--reload` through the built command, for each kind of app: loaded files are watched, and a broken app is waited for. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask } from "../../support/ask.ts";
import { Development, ESM, type Files } from "../../support/development.ts";

const COMMONJS: Files = {
  "app.cjs": `const { name } = require("./lib/name.cjs");
    const data = require("./data.json");
    module.exports = (request, respond) => {
      const more = request.path === "/lazy" ? require("./lib/lazy.cjs") : "";
      respond(200, {}, name + " " + data.version + more);
    };`,
  "lib/name.cjs": 'exports.name = require("./deep/name.cjs");',
  "lib/deep/name.cjs": 'module.exports = "cjs";',
  "lib/lazy.cjs": 'module.exports = " lazy";',
  "data.json": '{ "version": 1 }',
};

const TYPESCRIPT: Files = {
  "package.json": '{ "type": "module" }',
  "tsconfig.json": '{ "compilerOptions": { "module": "nodenext" } }',
  "app.ts": `import type { Handler } from "tsgun";
    import { name } from "./lib/name.ts";
    import data from "./data.json" with { type: "json" };
    export const handler: Handler = async (request, respond) => {
      const more: string = request.path === "/lazy" ? (await import("./lib/lazy")).lazy : "";
      respond(200, {}, name + " " + data.version + more);
    };`,
  "lib/name.ts": 'export { name } from "./deep/name.js";',
  "lib/deep/name.ts": 'export const name: string = "ts";',
  "lib/lazy.ts": 'export const lazy: string = " lazy";',
  "data.json": '{ "version": 1 }',
};

const TYPESCRIPT_AS_COMMONJS: Files = {
  ...TYPESCRIPT,
  "package.json": '{ "type": "commonjs" }',
  "tsconfig.json": '{ "compilerOptions": { "module": "commonjs", "esModuleInterop": true } }',
};

const APPS: readonly [
  name: string,
  files: Files,
  app: string,
  end: string,
  changed: (text: string) => string,
][] = [
  ["ES modules", ESM, "app.js", "js", (text) => `export const name = "${text}";`],
  ["CommonJS", COMMONJS, "app.cjs", "cjs", (text) => `module.exports = "${text}";`],
  ["TypeScript", TYPESCRIPT, "app.ts", "ts", (text) => `export const name: string = "${text}";`],
  [
    "TypeScript that is CommonJS",
    TYPESCRIPT_AS_COMMONJS,
    "app.ts",
    "ts",
    (text) => `export const name: string = "${text}";`,
  ],
];

for (const [name, files, app, end, changed] of APPS) {
  const first = end === "js" ? "esm" : end;
  const deep = `lib/deep/name.${end}`;

  describe(`an app of ${name}`, () => {
    test("reloads for an imported file and JSON, and the old code serves until the new is ready", async (t) => {
      const server = new Development(t, files, app);
      await server.steady([`${first} 1`, "second 1", "second 2"], async () => {
        server.write(deep, changed("second"));
        await server.answers("second 1");
        server.write("data.json", '{ "version": 2 }');
        await server.answers("second 2");
      });
      await server.command.line(new RegExp(`Reloading: ${deep} changed: generation 2$`));
      await server.command.line(/Reloading: data\.json changed: generation 3$/);
      assert.equal(server.reloads, 2);
    });

    test("reloads for a file imported later", async (t) => {
      const server = new Development(t, files, app);
      await server.answers(`${first} 1`);
      await server.answers(`${first} 1 lazy`, "/lazy");
      const lazy = `lib/lazy.${end}`;
      server.write(lazy, (files[lazy] as string).replace('" lazy"', '" later"'));
      await server.answers(`${first} 1 later`, "/lazy");
    });

    test("keeps the old code while a file is broken, logs where, and serves the fixed file", async (t) => {
      const server = new Development(t, files, app);
      await server.steady([`${first} 1`, "mended 1"], async () => {
        server.write(deep, "\nconst = broken(;\n");
        await server.command.line(
          /Reload failed, generation 1 stays: .*syntax error in .*lib\/deep\/name\.\w+:2: /,
        );
        server.write(deep, changed("mended"));
        await server.answers("mended 1");
      });
      assert.equal(server.command.lines(/Reload failed/).length, 1);
    });

    test("is waited for if it is broken at the start", async (t) => {
      const server = new Development(t, { ...files, [deep]: "const = broken(;\n" }, app);
      await server.command.line(/Waiting until a file changes/);
      const target = { port: await server.command.port() };
      const { status, text } = await ask(target);
      assert.equal(status, 503);
      assert.doesNotMatch(text, /deep/);
      assert.equal(server.command.lines(/syntax error in .*lib\/deep\/name\.\w+:1: /).length, 1);
      server.write(deep, `throw new Error("not yet");\n${changed("never")}`);
      await server.command.line(/not yet \(at lib\/deep\/name\.\w+:1\)/);
      server.write(deep, changed("mended"));
      await server.answers("mended 1");
      assert.deepEqual(await server.command.end(), { code: 0, signal: null });
    });

    test("is served once a missing file exists", async (t) => {
      const { [deep]: _, ...others } = files;
      const server = new Development(t, others, app);
      await server.command.line(/Waiting until a file changes/);
      server.write(deep, changed("there"));
      await server.answers("there 1");
    });
  });
}
