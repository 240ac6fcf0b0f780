/** `--reload` through the built command: what is watched, what a change leads to, and what it must not cost. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "../support/ask.ts";
import { type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

type Files = Readonly<Record<string, string>>;

/** A server that reloads, and its folder. */
class Development {
  readonly folder: string;
  readonly command: RunningCommand;
  #target: { port: number } | undefined;

  constructor(context: TestContext, files: Files, app: string, args: readonly string[] = []) {
    this.folder = temporaryFolder(context);
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    const all = [app, "--reload", "--linger", "100ms", "-b", "127.0.0.1:0", ...args];
    this.command = startCommand(context, all, { cwd: this.folder });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  async text(path = "/"): Promise<string> {
    this.#target ??= { port: await this.command.port() };
    return (await ask(this.#target, path)).text;
  }

  async answers(text: string, path = "/"): Promise<void> {
    await until(`it answers ${JSON.stringify(text)}`, async () => (await this.text(path)) === text);
  }

  /** How many reloads there have been. */
  get reloads(): number {
    return this.command.lines(/Reloading: /).length;
  }

  /** Asks all the time until `done`; every answer is 200, and one of `texts`, and once it is a later one it stays. */
  async steady(texts: readonly string[], during: () => Promise<void>): Promise<void> {
    await this.answers(texts[0] as string);
    let over = false;
    const asking = (async () => {
      const target = { port: await this.command.port() };
      let asked = 0;
      for (; !over; asked++) {
        const { status, text } = await ask(target);
        assert.equal(status, 200, text);
        assert.ok(texts.includes(text), text);
        await pause(2);
      }
      return asked;
    })();
    try {
      await during();
    } finally {
      over = true;
    }
    assert.notEqual(await asking, 0);
  }
}

const ESM: Files = {
  "package.json": '{ "type": "module" }',
  "app.js": `import { name } from "./lib/name.js";
    import data from "./data.json" with { type: "json" };
    export const handler = async (request, respond) => {
      const more = request.path === "/lazy" ? (await import("./lib/lazy.js")).lazy : "";
      respond(200, {}, name + " " + data.version + more);
    };`,
  "lib/name.js": 'export { name } from "./deep/name.js";',
  "lib/deep/name.js": 'export const name = "esm";',
  "lib/lazy.js": 'export const lazy = " lazy";',
  "data.json": '{ "version": 1 }',
};

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
];

for (const [name, files, app, end, changed] of APPS) {
  const first = end === "js" ? "esm" : end;
  const deep = `lib/deep/name.${end}`;

  describe(`an app of ${name}`, () => {
    test("follows a file it imports, and JSON, and the old code answers until the new is ready", async (t) => {
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

    test("follows what it imports later", async (t) => {
      const server = new Development(t, files, app);
      await server.answers(`${first} 1`);
      await server.answers(`${first} 1 lazy`, "/lazy");
      const lazy = `lib/lazy.${end}`;
      server.write(lazy, (files[lazy] as string).replace('" lazy"', '" later"'));
      await server.answers(`${first} 1 later`, "/lazy");
    });

    test("keeps the old code while a file is broken, says where, and serves the mended one", async (t) => {
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

    test("is waited for when it is broken from the start", async (t) => {
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

    test("is served once a file it misses is there", async (t) => {
      const { [deep]: _, ...others } = files;
      const server = new Development(t, others, app);
      await server.command.line(/Waiting until a file changes/);
      server.write(deep, changed("there"));
      await server.answers("there 1");
    });
  });
}

describe("a change", () => {
  test("is seen when an editor writes beside the file and renames", async (t) => {
    const server = new Development(t, ESM, "app.js");
    await server.answers("esm 1");
    for (const [index, text] of ["second", "third", "fourth"].entries()) {
      server.write("lib/deep/.name.js.swp", `export const name = "${text}";`);
      renameSync(server.path("lib/deep/.name.js.swp"), server.path("lib/deep/name.js"));
      await server.answers(`${text} 1`);
      assert.equal(server.reloads, index + 1);
    }
  });

  test("is seen when a file, or its folder, goes and comes back", async (t) => {
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

  test("of many files at once is one reload", async (t) => {
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

  test("that leaves a file as it was loaded is none", async (t) => {
    const server = new Development(t, ESM, "app.js", ["--reload-extra-file", "note.txt"]);
    await server.answers("esm 1");
    server.write("lib/unused.js", "not loaded, and not even JavaScript");
    server.write("lib/deep/name.js", 'export const name = "second";');
    await server.answers("second 1");
    server.write("note.txt", "watched though nobody loads it");
    await server.command.line(/Reloading: note\.txt changed: generation 3$/);
    assert.equal(server.reloads, 2);
  });

  test("is seen by polling, too", async (t) => {
    const server = new Development(t, ESM, "app.js", ["--reload-engine", "poll"]);
    await server.answers("esm 1");
    server.write("lib/deep/name.js", 'export const name = "second";');
    await server.answers("second 1");
    server.write("lib/deep/name.js", 'export const name = "the third";');
    await server.answers("the third 1");
  });

  test("of an extra file, by its name, its folder or a glob, reloads as well", async (t) => {
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

  test("of a package comes with the end of its installation, of a linked workspace with the file", async (t) => {
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

test("HUP reloads by hand, and TERM ends a server that waits for its app to be mended", async (t) => {
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

test("an app that is not there is not waited for", async (t) => {
  const server = new Development(t, { "app.mjs": "" }, "ap.mjs");
  assert.deepEqual(await server.command.ended(), { code: 4, signal: null });
  assert.match(server.command.stderr, /did you mean app\.mjs\?\n$/);
});
