/** A server whose workers are examined: what `tsgun ctl` and plain HTTP say about them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ask } from "./ask.ts";
import {
  COMMAND,
  type CommandOptions,
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "./command.ts";

const SHOP = join(FIXTURES, "examination", "shop.ts");

export interface Told {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** `shop.ts:LINE:` of the line of the app that has `text`. */
export function lineOf(text: string): string {
  const lines = readFileSync(SHOP, "utf8").split("\n");
  return `shop.ts:${lines.findIndex((line) => line.includes(text)) + 1}:`;
}

export class Examined {
  readonly command: RunningCommand;
  readonly folder: string;
  readonly socket: string;
  readonly #context: TestContext;
  port = 0;

  /** @param app the file of another app, which answers with its pid */
  constructor(context: TestContext, words: readonly string[], options: CommandOptions = {}, app = SHOP) {
    this.#context = context;
    this.folder = temporaryFolder(context);
    this.socket = join(this.folder, "c.ctl");
    const own = [app, "-b", "127.0.0.1:0", "--control-socket", this.socket];
    this.command = startCommand(context, [...own, ...words], { cwd: this.folder, ...options });
  }

  async ready(): Promise<this> {
    await this.command.ready();
    this.port = await this.command.port();
    await until(
      "the control socket answers",
      async () => (await this.reply("GET", "/status")).status === 200,
    );
    return this;
  }

  get(path: string): Promise<string> {
    return ask({ port: this.port }, path).then(({ text }) => text);
  }

  /** Sends a request that the test does not wait for. */
  begin(path: string): Promise<string> {
    const response = this.get(path);
    response.catch(() => {});
    return response;
  }

  /** Asks the control socket. Rejects if the response is cut. */
  reply(method: "GET" | "POST", path: string, body?: unknown): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.socket, method, path, agent: false }, async (incoming) => {
        try {
          let text = "";
          for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
          resolve({ status: incoming.statusCode ?? 0, text });
        } catch (error) {
          reject(error as Error);
        }
      });
      outgoing.once("error", reject);
      outgoing.end(body === undefined ? "" : JSON.stringify(body));
    });
  }

  async report<T>(path: string): Promise<T> {
    const { status, text } = await this.reply("GET", path);
    assert.equal(status, 200, text);
    return JSON.parse(text) as T;
  }

  /** Runs `tsgun ctl` in the server's folder. */
  ctl(...words: string[]): Promise<Told> {
    return new Promise((resolve) => {
      const args = [COMMAND, "ctl", ...words, "--control-socket", this.socket];
      const child = spawn(process.execPath, args, { cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] });
      let out = "";
      let err = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        out += text;
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        err += text;
      });
      child.once("close", (code) => resolve({ code, out, err }));
      this.#context.signal.addEventListener("abort", () => child.kill());
    });
  }

  /** The pid of the only worker, or of the one that is not any of these. */
  worker(...others: readonly number[]): number {
    const pid = this.command.workers().find((each) => !others.includes(each));
    assert.ok(pid !== undefined, "there is no such worker");
    return pid;
  }
}
