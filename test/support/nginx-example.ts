/**
 * The folder `examples/nginx`, copied and run as its README says: a certificate, three servers, and nginx with its
 * configuration as it is, but for the two ports.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { Agent, type RequestOptions, request } from "node:https";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type RunningCommand, startCommand, temporaryFolder } from "./command.ts";
import { freePort } from "./free-port.ts";
import { runNginx } from "./nginx.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const EXAMPLE = join(ROOT, "examples", "nginx");
const IS_ROOT = process.getuid?.() === 0;

/** The user that nginx changes to; undefined if the tests do not run as root. */
export const NGINX_USER = IS_ROOT ? { user: "nobody", group: "nogroup" } : undefined;

/** The limit for a response; far more than any takes. */
const DEADLINE_MS = 20_000;

export interface SiteAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly text: string;
}

export interface SiteRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** The client's own address. */
  readonly from?: string;
  /** Default: a connection of its own. */
  readonly agent?: Agent;
}

export class NginxExample {
  readonly folder: string;
  /** In the order of their numbers, from 1. */
  readonly servers: RunningCommand[] = [];
  readonly #test: TestContext;
  plainPort = 0;
  port = 0;

  private constructor(test: TestContext) {
    this.#test = test;
    this.folder = temporaryFolder(test);
  }

  /** @param args arguments of each server, in addition to its configuration */
  static async start(test: TestContext, args: readonly string[] = []): Promise<NginxExample> {
    const example = new NginxExample(test);
    example.#copy();
    for (const number of [1, 2, 3]) example.servers.push(example.startServer(number, args));
    await Promise.all(example.servers.map((server) => server.ready()));
    await example.#startNginx();
    return example;
  }

  /** Copies the example without the files that running it creates. */
  #copy(): void {
    cpSync(EXAMPLE, this.folder, { recursive: true });
    const run = join(this.folder, "run");
    for (const name of readdirSync(run)) {
      if (name !== ".gitignore") rmSync(join(run, name), { recursive: true });
    }
    const modules = join(this.folder, "node_modules");
    mkdirSync(modules);
    symlinkSync(ROOT, join(modules, "tsgun"));
    symlinkSync(join(ROOT, "node_modules", "ws"), join(modules, "ws"));
    // nginx reads the files as another user.
    if (NGINX_USER !== undefined) chmodSync(this.folder, 0o755);
    const readme = readFileSync(join(this.folder, "README.md"), "utf8");
    const command = /^ {4}(openssl .*)$/m.exec(readme)?.[1] ?? "false";
    execFileSync("sh", ["-c", command], { cwd: this.folder, stdio: "pipe" });
  }

  startServer(number: number, args: readonly string[] = []): RunningCommand {
    const ownership = NGINX_USER === undefined ? [] : ["--socket-owner", `root:${NGINX_USER.group}`];
    return startCommand(this.#test, [...ownership, ...args], {
      cwd: this.folder,
      env: { INSTANCE: String(number) },
    });
  }

  async #startNginx(): Promise<void> {
    const config = join(this.folder, "nginx.conf");
    this.plainPort = await freePort();
    do this.port = await freePort();
    while (this.port === this.plainPort);
    const text = readFileSync(config, "utf8");
    writeFileSync(config, text.replaceAll("8080", `${this.plainPort}`).replaceAll("8443", `${this.port}`));
    const user = NGINX_USER && `user ${NGINX_USER.user} ${NGINX_USER.group};`;
    await runNginx(this.#test, {
      args: ["-p", this.folder, "-c", "nginx.conf", "-e", "stderr", "-g", `daemon off; ${user ?? ""}`],
      cwd: this.folder,
      port: this.port,
    });
  }

  get certificate(): string {
    return readFileSync(join(this.folder, "run", "cert.pem"), "utf8");
  }

  /** An agent that keeps one connection; the test must destroy it. */
  keptConnection(): Agent {
    return new Agent({ keepAlive: true, maxSockets: 1 });
  }

  options(path: string, how: SiteRequest = {}): RequestOptions {
    return {
      host: "127.0.0.1",
      port: this.port,
      servername: "localhost",
      ca: this.certificate,
      path,
      method: how.method ?? "GET",
      headers: { host: `localhost:${this.port}`, ...how.headers },
      agent: how.agent ?? false,
      ...(how.from === undefined ? {} : { localAddress: how.from }),
    };
  }

  /** Sends a request to nginx over TLS and checks its certificate. Rejects if the response is incomplete. */
  ask(path: string, how: SiteRequest = {}): Promise<SiteAnswer> {
    const options = { ...this.options(path, how), timeout: DEADLINE_MS };
    return new Promise((resolve, reject) => {
      const outgoing = request(options, async (incoming) => {
        try {
          let text = "";
          for await (const piece of incoming.setEncoding("utf8")) text += piece;
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text });
        } catch (error) {
          reject(error as Error);
        }
      });
      outgoing.once("error", reject);
      outgoing.once("timeout", () => outgoing.destroy(new Error(`no response in ${DEADLINE_MS} ms`)));
      outgoing.end(how.body);
    });
  }

  socketOf(number: number): string {
    return join(this.folder, "run", `app-${number}.sock`);
  }
}
