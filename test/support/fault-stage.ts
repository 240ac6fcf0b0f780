/**
 * A server on TCP and on a Unix socket, under four loads: over each of the two with kept connections, and with a
 * connection for each request. Four more may come through nginx at the same time, so that one run with one fault tests
 * both. No load may notice what happens to the server.
 */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { FIXTURES, isAlive, type RunningCommand, startCommand, temporaryFolder, until } from "./command.ts";
import { missing } from "./component.ts";
import { mirrored } from "./exchanges.ts";
import { Load, type LoadOptions, type Target } from "./load.ts";
import { type Nginx, startNginx } from "./nginx.ts";

/** Clients and requests a second, of each load. The machine belongs to the server too. */
const CLIENTS = 4;
const RATE = 60;

export interface StageOptions {
  readonly workers: number;
  /** A file of the fixtures. Default: the mirror, a gateway app. */
  readonly app?:
    | "mirror.mjs"
    | "mirror-listener.cjs"
    | "mirror-server.cjs"
    | "blocks.mjs"
    | "leaks.mjs"
    | "poison.mjs"
    | "poison-listener.cjs";
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Words in front of the command. */
  readonly prefix?: readonly string[];
  /** Puts what else the app needs into its folder. */
  readonly prepare?: (folder: string) => void;
}

/** Mostly POST; some responses are slow, some come in pieces, so that some request is always in flight. */
export const MIXED: LoadOptions["make"] = mirrored({
  methods: ["POST", "POST", "POST", "GET"],
  query: (number) => ["", "wait=20", "", "stream&wait=5", "wait=60"][number % 5] ?? "",
});

export class FaultStage {
  readonly command: RunningCommand;
  readonly folder: string;
  readonly app: string;
  readonly path: string;
  readonly port: number;
  /** The loads by name; the names of those that come through nginx begin with `nginx`. */
  readonly loads = new Map<string, Load>();
  readonly #workers: number;
  readonly #proxies: Nginx[] = [];

  /** Starts the server, and waits until it serves. */
  static async start(context: TestContext, options: StageOptions): Promise<FaultStage> {
    const { workers, app = "mirror.mjs", args = [], env = {}, prefix = [], prepare } = options;
    const folder = temporaryFolder(context);
    copyFileSync(join(FIXTURES, "faults", app), join(folder, app));
    prepare?.(folder);
    const path = join(folder, "app.sock");
    const binds = ["--bind", "127.0.0.1:0", "--bind", `unix:${path}`];
    const command = startCommand(context, [app, ...binds, "--workers", `${workers}`, ...args], {
      cwd: folder,
      env,
      prefix,
    });
    await command.ready();
    const stage = new FaultStage(command, { folder, app, path, port: await command.port() }, workers);
    context.after(() => stage.#stopLoads());
    return stage;
  }

  private constructor(
    command: RunningCommand,
    at: { folder: string; app: string; path: string; port: number },
    workers: number,
  ) {
    this.command = command;
    this.folder = at.folder;
    this.app = at.app;
    this.path = at.path;
    this.port = at.port;
    this.#workers = workers;
  }

  /** Puts the server under load, and waits until every load is answered. */
  async load(): Promise<void> {
    this.#addModes("TCP", { port: this.port });
    this.#addModes("Unix", { path: this.path });
    await this.more(CLIENTS * 2);
  }

  /**
   * Puts the server under load directly and, where nginx is installed, also through an nginx in front of each socket,
   * which retries nothing and ends with the test.
   */
  async loadWithNginx(context: TestContext): Promise<void> {
    const lacking = missing("nginx");
    if (lacking === false) {
      this.#addModes("nginx and TCP", await this.#startNginx(context, "TCP", `127.0.0.1:${this.port}`));
      this.#addModes("nginx and Unix", await this.#startNginx(context, "Unix", `unix:${this.path}`));
    } else {
      context.diagnostic(`without the loads through nginx: ${lacking}`);
    }
    await this.load();
  }

  #addModes(name: string, target: Target): void {
    for (const mode of ["keep-alive", "close"] as const) this.add(`${name}, ${mode}`, target, mode);
  }

  /** The error logs of all nginx. */
  get proxyErrors(): string {
    return this.#proxies.map((nginx) => nginx.errors()).join("");
  }

  async #startNginx(context: TestContext, name: string, server: string): Promise<Target> {
    const folder = join(this.folder, `nginx-${name}`);
    mkdirSync(folder);
    const nginx = await startNginx(context, folder, {
      // Fewer than are in use at times: some connections are kept, others are new all the time.
      upstream: `server ${server}; keepalive 2;`,
      server: `
        location / {
          proxy_pass http://app;
          proxy_http_version 1.1;
          proxy_next_upstream off;
          proxy_set_header Connection "";
        }
      `,
    });
    this.#proxies.push(nginx);
    return { port: nginx.port };
  }

  /** Adds a load on a target that answers as the app does. */
  add(name: string, target: Target, mode: LoadOptions["mode"]): Load {
    const load = new Load(target, { mode, make: MIXED, clients: CLIENTS, rate: RATE });
    this.loads.set(name, load);
    return load;
  }

  /** Waits until each load got so many more answers. */
  async more(answers: number): Promise<void> {
    await Promise.all([...this.loads.values()].map((load) => load.more(answers)));
  }

  /** The process ids that have answered a load. */
  answering(): Set<number> {
    return new Set([...this.loads.values()].flatMap((load) => [...load.workers.keys()]));
  }

  /** Replaces a file, by default the app's, as a deploy does: at once. */
  deploy(source: string, name = this.app): void {
    const file = join(this.folder, name);
    writeFileSync(`${file}.new`, source);
    renameSync(`${file}.new`, file);
  }

  /** Waits until there are exactly so many workers, by default as many as at the start. */
  async settled(workers = this.#workers): Promise<number[]> {
    return await until(`there are ${workers} workers`, () => {
      const pids = this.command.workers();
      return pids.length === workers && pids;
    });
  }

  /** Ends the loads; no request has failed in any of them. */
  async assertNothingLost(answers: number): Promise<void> {
    await this.#stopLoads();
    assert.notEqual(this.loads.size, 0);
    for (const [name, load] of this.loads) {
      assert.equal(load.failed, 0, `${name}: ${load.report()}`);
      load.assertNothingLost(answers);
    }
  }

  /** Ends the server gracefully: it ends with 0, and with it everything it started. */
  async end(): Promise<void> {
    const workers = this.command.workers();
    assert.deepEqual(await this.command.end(), { code: 0, signal: null });
    assert.deepEqual(workers.filter(isAlive), []);
  }

  async #stopLoads(): Promise<void> {
    await Promise.all([...this.loads.values()].map((load) => load.stop()));
  }
}
