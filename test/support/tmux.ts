/** A shell in a real terminal: a tmux of the test's own, whose screen is read as people see it. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { cleanUp, isAlive, until } from "./command.ts";

export class Tmux {
  readonly #folder: string;
  readonly #environment: NodeJS.ProcessEnv;
  #outputs = 0;

  /**
   * @param folder where its socket is, and where the shell starts
   * @param environment of the shell, beside what it needs
   */
  constructor(test: TestContext, folder: string, size: [columns: number, rows: number], environment = {}) {
    this.#folder = folder;
    this.#environment = {
      PATH: process.env.PATH ?? "",
      HOME: folder,
      LC_ALL: "C.UTF-8",
      TERM: "xterm-256color",
      TMUX_TMPDIR: folder,
      ...environment,
    };
    const [columns, rows] = size.map(String) as [string, string];
    cleanUp(test, async () => {
      if ((test as TestContext & { passed?: boolean }).passed === false) {
        console.error(`--- the terminal\n${this.lines().join("\n")}\n---`);
      }
      // The shell writes its history into the folder, which is removed next.
      const pids = this.ask("#{pid} #{pane_pid}").split(" ").map(Number);
      this.#run("kill-server");
      await until("the terminal is gone", () => !pids.some((pid) => isAlive(pid)));
    });
    this.#run("new-session", "-d", "-x", columns, "-y", rows, "-c", folder, "bash --norc --noprofile");
  }

  #run(...words: string[]): string {
    return execFileSync("tmux", ["-L", "t", "-f", "/dev/null", "-u", ...words], {
      env: this.#environment,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Presses keys, by tmux's names: `Enter`, `Escape`, `C-c`, `x`. */
  press(...keys: string[]): void {
    this.#run("send-keys", ...keys);
  }

  /** Types a line at the shell's prompt. */
  type(line: string): void {
    this.#run("send-keys", "-l", line);
    this.press("Enter");
  }

  resize(columns: number, rows: number): void {
    this.#run("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** The lines of the screen, without spaces at their ends. */
  lines(): string[] {
    return this.#run("capture-pane", "-p").replace(/\n$/, "").split("\n");
  }

  /** A tmux format: `#{cursor_flag}`. */
  ask(format: string): string {
    return this.#run("display-message", "-p", format).trim();
  }

  /** Waits until the screen shows something that matches. */
  async shows(pattern: RegExp): Promise<string[]> {
    return await until(`the screen shows ${pattern}`, () => {
      const lines = this.lines();
      return pattern.test(lines.join("\n")) && lines;
    });
  }

  /** Runs a command line at the prompt to its end; returns what it has written to standard output. */
  async output(line: string): Promise<string> {
    const file = join(this.#folder, `output-${++this.#outputs}`);
    this.type(`${line} > ${file}.new; mv ${file}.new ${file}`);
    return await until(`${line} has ended`, () => readFileSync(file, "utf8"));
  }
}
