/** A server that reloads when its files change, in a folder whose files the test writes. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "./ask.ts";
import { type RunningCommand, startCommand, temporaryFolder, until } from "./command.ts";

/** The text of each file, by path. */
export type Files = Readonly<Record<string, string>>;

export class Development {
  readonly folder: string;
  readonly command: RunningCommand;
  #target: { port: number } | undefined;

  /** @param words the app and options, or all words of the command */
  constructor(
    context: TestContext,
    files: Files,
    words: string | readonly string[],
    args: readonly string[] = [],
  ) {
    this.folder = temporaryFolder(context);
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    const all =
      typeof words === "string"
        ? [words, "--reload", "--linger", "100ms", "-b", "127.0.0.1:0", ...args]
        : words;
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

  /** Sends requests for as long as `during` runs: every response must be 200 with one of `texts`. */
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

/** An app of ES modules that responds with `esm 1`; `/lazy` adds what it imports only then. */
export const ESM: Files = {
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
