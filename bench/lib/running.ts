/** A server that runs: started on its core, observed until it answers, stopped with all that it started. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../test/support/free-port.ts";
import { makeCertificate } from "./certificate.ts";
import { type Core, onCore } from "./pinning.ts";
import { processTree } from "./processes.ts";
import { ROOT } from "./programs.ts";
import type { Launch, Server } from "./server.ts";

/** Time to end after SIGTERM. */
const STOP_MS = 10_000;

const children = new Set<ChildProcess>();
const folders = new Set<string>();
process.on("exit", () => {
  for (const child of children) killTree(child);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of processTree(child.pid)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** A program that ends with the bench, at the latest. */
export class Program {
  readonly pid: number;
  readonly name: string;
  /** When it was spawned, in milliseconds of this process. */
  readonly startedAt: number;
  readonly #child: ChildProcess;
  #output = "";

  constructor(name: string, core: Core, words: readonly [string, ...string[]], env: NodeJS.ProcessEnv) {
    this.name = name;
    const [program, ...args] = onCore(core, words);
    this.startedAt = performance.now();
    const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], env });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-4000);
      });
    child.once("error", (error) => {
      this.#output += error.message;
    });
    children.add(child);
    this.#child = child;
    this.pid = child.pid ?? 0;
  }

  /** The end of what it has written. */
  get output(): string {
    return this.#output;
  }

  get hasEnded(): boolean {
    return this.pid === 0 || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async stop(): Promise<void> {
    if (!this.hasEnded) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      if ((await Promise.race([ended, delay(STOP_MS, undefined, { ref: false })])) === undefined) {
        killTree(this.#child);
        await ended;
      }
    }
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    children.delete(this.#child);
  }
}

/** Where a server listens. */
export type Address = number | string;

export interface Running {
  readonly name: string;
  readonly address: Address;
  readonly folder: string;
  readonly program: Program;
  stop(): Promise<void>;
}

/** Nothing that the environment of the bench sets may change a server. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(TSGUN_|WEB_CONCURRENCY$|PORT$|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/.test(name),
  );
  return Object.fromEntries(kept);
}

export interface StartOptions {
  readonly core: Core;
  /** Listen on a Unix socket. */
  readonly socket?: boolean;
}

/** A place to start in: a folder that is removed in the end, and an address. */
export async function newPlace(
  socket = false,
): Promise<{ folder: string; address: Address; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-bench-"));
  folders.add(folder);
  const address = socket ? join(folder, "app.sock") : await freePort();
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
  };
  return { folder, address, remove };
}

/** Starts a server; returns before it answers. Undefined if it cannot serve that. */
export async function start(
  server: Server,
  name: string,
  launch: Launch,
  { core, socket = false }: StartOptions,
): Promise<Running | undefined> {
  const { protocol = "http" } = launch;
  if (protocol !== "http" && server.servesAll !== true) return undefined;
  const { folder, address, remove } = await newPlace(socket);
  const hasTls = protocol === "https" || protocol === "h2";
  const certificate = hasTls ? makeCertificate(folder) : undefined;
  const command = server.command(launch, { address, folder, certificate });
  if (command === undefined) {
    remove();
    return undefined;
  }
  const env = { ...cleanEnvironment(), NODE_ENV: "production", ...command.env };
  const program = new Program(name, core, command.words, env);
  return {
    name,
    address,
    folder,
    program,
    async stop() {
      await program.stop();
      remove();
    },
  };
}
