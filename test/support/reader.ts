/**
 * Follows a page to the letter on its own machine: writes its files, types its commands, and compares their output with
 * the page's.
 *
 * - A `console` block has commands after `$ `, and their output below; a `sh` block has only commands.
 * - A server keeps the first terminal. While it runs, commands are typed in a second one, in the same folder. A `console`
 *   block that does not begin with a command shows the server's next output; `^C` is the key.
 * - The lines shown must come in this order; other lines may come between. `…` stands for anything. Times and versions
 *   may differ, and so may the process ids, which are 47xx on every page.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { until } from "./command.ts";
import type { Block } from "./page.ts";
import type { PrivateMachine } from "./private-machine.ts";

/** Limit for each command. */
const DEADLINE_MS = 60_000;
const HOME = "/home/you";

export interface ReaderOptions {
  readonly machine: PrivateMachine;
  /** The folder that is /home/you on the machine. */
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  /** Replacements for lines that a machine without a network cannot run. */
  readonly instead: ReadonlyMap<string, string>;
  /** Called with each line as written on the page. */
  readonly typed: (line: string) => void;
}

/** A command that keeps the terminal until it ends. */
const STAYS =
  /^(?:sudo )?npx (?:--yes )?tsgun(?! (?:ctl|ps|init|completion)\b| --(?:version|help|print-config|check-config))|(?:^|&& )npm start/;

class Running {
  readonly #process: ChildProcess;
  readonly command: string;
  output = "";
  exit: number | undefined;
  /** Length of the output already compared. */
  #read = 0;

  constructor(command: string, process: ChildProcess) {
    this.command = command;
    this.#process = process;
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.#process.once("close", (code) => {
      this.exit = code ?? -1;
    });
  }

  pressControlC(): void {
    process.kill(-(this.#process.pid as number), "SIGINT");
  }

  /** Whether the lines follow what was compared before; if so, the next comparison starts after them. */
  shows(expected: readonly string[]): boolean {
    const end = matched(this.output.slice(this.#read), expected);
    if (end === undefined) return false;
    this.#read += end;
    return true;
  }
}

export class Reader {
  readonly #options: ReaderOptions;
  /** The path on the machine. */
  #folder = HOME;
  #lastExit = 0;
  #server: Running | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  async follow(block: Block): Promise<void> {
    if (block.file !== undefined) return this.#write(block.file, block.text);
    if (block.language !== "sh" && block.language !== "console")
      assert.fail("this block is neither a file nor commands nor a console: name its file on the page");
    const all = steps(block);
    for (const [index, { command, shown }] of all.entries()) {
      if (command === undefined) await this.#watchServer(shown);
      else if (STAYS.test(this.#options.instead.get(command) ?? command))
        await this.#startServer(command, shown);
      else await this.#type(command, shown);
      const asked = all[index + 1]?.command === "echo $?";
      if (!asked) assert.equal(this.#lastExit, 0, `${command} ends with code ${this.#lastExit}`);
    }
  }

  /** Waits until the page has ended its server, by a key or a command. */
  async leave(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    await until(`${server.command} has been ended by the page`, () => server.exit !== undefined);
    this.#server = undefined;
  }

  #write(file: string, text: string): void {
    const { machine, env } = this.#options;
    const path = resolve(this.#folder, file);
    // Run inside, where the file systems are the machine's own.
    const words = ["sh", "-c", 'mkdir -p "$(dirname "$0")" && cat >"$0"', path];
    const { status, stderr } = machine.runSync(words, env, `${text}\n`);
    assert.equal(status, 0, stderr);
  }

  #run(command: string): Running {
    const { machine, env, instead, typed: notify } = this.#options;
    notify(command);
    const typed = instead.get(command) ?? command;
    const script = `cd ${this.#folder} && (exit ${this.#lastExit}); ${typed}\nlast=$?; pwd >${HOME}/.folder; exit $last`;
    return new Running(command, machine.spawn(["bash", "-c", script], env));
  }

  async #type(command: string, shown: readonly string[]): Promise<void> {
    // Repeat only curl: nginx, for example, may not have loaded its new configuration yet.
    const again = command.startsWith("curl ");
    const deadline = again ? DEADLINE_MS : 0;
    const what = `${command} prints what the page shows`;
    await until(what, async () => await this.#once(command, shown), deadline).catch((error: Error) => {
      throw error.cause ?? error;
    });
    const now = readFileSync(join(this.#options.home, ".folder"), "utf8").trim();
    this.#folder = now;
  }

  async #once(command: string, shown: readonly string[]): Promise<true> {
    const running = this.#run(command);
    await until(`${command} ends`, () => running.exit !== undefined, DEADLINE_MS);
    this.#lastExit = running.exit ?? 0;
    const difference = `${command} printed\n${running.output}\nand the page shows\n${shown.join("\n")}`;
    if (!running.shows(shown)) throw new Error(difference);
    return true;
  }

  async #startServer(command: string, shown: readonly string[]): Promise<void> {
    await this.leave();
    this.#server = this.#run(command);
    await this.#watchServer(shown);
  }

  /** Compares the server's next output and presses the keys shown. A server that has ended frees its terminal. */
  async #watchServer(shown: readonly string[]): Promise<void> {
    const server = this.#server;
    assert.ok(server !== undefined, `no server runs that could print ${shown[0]}`);
    const key = shown.indexOf("^C");
    const before = key === -1 ? shown : shown.slice(0, key);
    const ends = key !== -1 || LAST_LINE.test(before.at(-1) ?? "");
    await until(
      `${server.command} prints what the page shows`,
      () => {
        if (server.shows(before)) return true;
        if (server.exit !== undefined && !ends) assert.fail(`${server.command} ended:\n${server.output}`);
        throw new Error(`it printed\n${server.output}\nand the page shows\n${before.join("\n")}`);
      },
      DEADLINE_MS,
    );
    this.#lastExit = 0;
    if (!ends) return;
    if (key !== -1) server.pressControlC();
    await until(`${server.command} ends`, () => server.exit !== undefined, DEADLINE_MS);
    const after = key === -1 ? [] : shown.slice(key + 1);
    assert.ok(server.shows(after), `${server.command} printed\n${server.output}\nnot\n${after.join("\n")}`);
    if (key === -1) this.#lastExit = server.exit ?? 0;
    this.#server = undefined;
  }
}

/** After one of these lines a server has ended by itself. */
const LAST_LINE = /Shutting down: Master|\] Reason: /;

interface Step {
  /** Undefined for the output of a server. */
  readonly command: string | undefined;
  readonly shown: readonly string[];
}

function steps(block: Block): Step[] {
  const lines = block.text.split("\n");
  if (block.language === "sh") {
    return lines.filter((line) => line !== "").map((command) => ({ command, shown: [] }));
  }
  const found: { command: string | undefined; shown: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith("$ ")) found.push({ command: line.slice(2), shown: [] });
    else if (found.length === 0) found.push({ command: undefined, shown: [line] });
    else found.at(-1)?.shown.push(line);
  }
  return found;
}

/** The end of the lines in the output; undefined unless all are there, in this order. */
function matched(output: string, expected: readonly string[]): number | undefined {
  let at = 0;
  for (const line of expected) {
    if (line.trim() === "" || line.trim() === "…") continue;
    const found = patternOf(line).exec(output.slice(at));
    if (found === null) return undefined;
    at += found.index + found[0].length;
  }
  return at;
}

/** Matches a line in which `…`, times, versions and process ids may differ. */
export function patternOf(line: string): RegExp {
  const source = line
    .trim()
    .replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")
    .replaceAll(
      /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \\\+\d{4}/g,
      "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d [+-]\\d{4}",
    )
    .replaceAll(/\b47\d\d\b/g, "\\d+")
    .replaceAll(/\b\d+(?:\.\d+)?(ms|s|m)\b/g, "[\\d.]+(?:ms|s|m)")
    .replaceAll(/(?<![\d.\\])\d+\\\.\d+\\\.\d+(?![\d\\])/g, "\\d+\\.\\d+\\.\\d+")
    .replaceAll(/ {2,}/g, " +")
    .replaceAll("…", ".*");
  return new RegExp(`^\\s*${source}\\s*$`, "m");
}
