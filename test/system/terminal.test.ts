/** A server in a terminal that closes. script(1) holds the terminal's other end, so the terminal closes when it is killed. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import {
  cleanUp,
  FIXTURES,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";
import { hasComponent } from "../support/component.ts";

class InTerminal {
  /** script(1). */
  readonly #script: RunningCommand;
  readonly #log: string;

  /** @param words in front of the command, in the terminal */
  static async start(context: TestContext, ...words: string[]): Promise<InTerminal> {
    const server = new InTerminal(context, words);
    await server.line(/Ready: generation 1 serves/);
    return server;
  }

  private constructor(context: TestContext, words: string[]) {
    const folder = temporaryFolder(context);
    this.#log = join(folder, "error.log");
    const app = join(FIXTURES, "pool", "echo.mjs:handler");
    const args = [app, "-b", "127.0.0.1:0", "--linger", "50ms", "--error-logfile", this.#log];
    const terminal = `exec script -qfec "exec $*" /dev/null`;
    this.#script = startCommand(context, args, {
      cwd: folder,
      prefix: ["sh", "-c", terminal, "sh", ...words],
    });
    cleanUp(context, () => {
      if (/Listening at/.test(this.log) && isAlive(this.pid)) process.kill(this.pid, "SIGKILL");
    });
  }

  get log(): string {
    try {
      return readFileSync(this.#log, "utf8");
    } catch {
      return "";
    }
  }

  /** The arbiter. */
  get pid(): number {
    return Number(/Listening at: \S+ \((\d+)\)/.exec(this.log)?.[1]);
  }

  get port(): number {
    return Number(/Listening at: http:\/\/[^:]+:(\d+) /.exec(this.log)?.[1]);
  }

  async line(pattern: RegExp): Promise<void> {
    try {
      await until(`its log has ${pattern}`, () => pattern.test(this.log));
    } catch (error) {
      throw new Error(`${this.log}\n${this.#script.stdout}`, { cause: error });
    }
  }

  close(): void {
    this.#script.kill("SIGKILL");
  }

  async ended(): Promise<void> {
    await until("the server has ended", () => !isAlive(this.pid));
  }
}

test("a closing terminal stops the server, and the workers exit cleanly", async (context) => {
  if (!hasComponent(context, "script", "bsdutils")) return;
  const server = await InTerminal.start(context);
  server.close();
  await server.ended();
  assert.match(server.log, /The terminal has hung up: stopping the server/);
  assert.match(server.log, /Shutting down: Master\n$/);
  assert.doesNotMatch(server.log, /Reloading|WARNING|ERROR/);
});

test("while the terminal is open, SIGHUP requests a reload", async (context) => {
  if (!hasComponent(context, "script", "bsdutils")) return;
  const server = await InTerminal.start(context);
  process.kill(server.pid, "SIGHUP");
  await server.line(/Ready: generation 2 serves/);
  process.kill(server.pid, "SIGTERM");
  await server.ended();
});

test("with nohup the server outlives the terminal", async (context) => {
  if (!hasComponent(context, "script", "bsdutils")) return;
  const server = await InTerminal.start(context, "nohup");
  server.close();
  await server.line(/Handling signal: hup[\s\S]*Ready: generation 2 serves/);
  assert.equal((await ask({ port: server.port })).status, 200);
  process.kill(server.pid, "SIGTERM");
  await server.ended();
});

test("SIGHUP stops tsgun dev, also without a terminal", async (context) => {
  const command = startCommand(context, ["dev", "pool/echo.mjs:handler", "-b", "127.0.0.1:0"]);
  await command.ready();
  assert.deepEqual(await command.end("SIGHUP"), { code: 0, signal: null });
  assert.doesNotMatch(command.stderr, /Reloading/);
});
