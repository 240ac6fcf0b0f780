/** Connections that do nothing, most after one answer each, held by a process on the core of the load. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Core, onCore } from "../lib/pinning.ts";
import type { Protocol } from "../lib/server.ts";

/** Limit to open them all. */
const OPEN_MS = 60_000;

export class IdleConnections {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  /** @param path to ask each for once; "-" for nothing */
  static async open(
    port: number,
    count: number,
    path: string,
    core: Core,
    protocol: Protocol = "http",
  ): Promise<IdleConnections> {
    const program = join(import.meta.dirname, "connection-holder.mjs");
    const [command, ...words] = onCore(core, [
      process.execPath,
      program,
      `${port}`,
      `${count}`,
      path,
      protocol,
    ]);
    const holder = spawn(command, words, { stdio: ["pipe", "pipe", "inherit"] });
    const timer = setTimeout(() => holder.kill(), OPEN_MS);
    const opened = await Promise.race([
      once(holder.stdout, "data"),
      once(holder, "exit").then(() => undefined),
    ]);
    clearTimeout(timer);
    if (opened === undefined) throw new Error(`it did not answer on each of ${count} connections`);
    return new IdleConnections(holder);
  }

  async close(): Promise<void> {
    if (this.#holder.exitCode !== null) throw new Error("it closed idle connections");
    const ended = once(this.#holder, "exit");
    this.#holder.stdin?.end();
    await ended;
  }
}
