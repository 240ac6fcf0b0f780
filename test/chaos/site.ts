/**
 * The server of a chaos run: the built command in a folder of its own, with nginx before it, started again when it was
 * killed, as systemd does.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { StatusReport } from "../../src/control/api.ts";
import { requestControl } from "../../src/control/control-client.ts";
import { COMMAND, cleanUp, temporaryFolder, until } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";
import type { Target } from "../support/load.ts";
import { startNginx } from "../support/nginx.ts";
import type { Gap } from "./attribution.ts";
import { Census } from "./census.ts";
import type { Way } from "./plan.ts";
import type { Targets } from "./traffic.ts";
import { Certificates, configurationOf, sourceOf } from "./ways.ts";

/** The workers of the configuration file, which a reload restores. */
export const WORKERS = 3;
/** A worker is killed when its loop has not turned for so long; a boot and a drain may take longer. */
const TIMEOUT_S = 5;

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const RESTART_PAUSE_MS = 100;
const RESTART_LIMIT_MS = 60_000;

function location(app: string): string {
  return `
    location / {
      proxy_pass ${app};
      proxy_http_version 1.1;
      proxy_next_upstream off;
      proxy_set_header Connection "";
    }
  `;
}

export interface SiteOptions {
  /** The node to run the server with. */
  readonly node: string;
  /** The first act's. */
  readonly way: Way;
}

export class Site {
  readonly folder: string;
  readonly controlSocket: string;
  readonly records: string;
  readonly journal: string;
  readonly census: Census;
  readonly gaps: Gap[] = [];
  readonly targets: Targets;
  readonly certificates: Certificates;
  #way: Way;
  #isUpgradeDue = false;
  /** Whether the clock can be moved. */
  readonly hasClock: boolean;
  stderr = "";
  /** No server is there. */
  isKilled = false;
  #process: ChildProcess | undefined;
  readonly #node: string;
  readonly #mark: string;
  readonly #logFolder: string;
  /** How many servers there were: each counts anew. */
  starts = 0;
  #clock = 0;
  #logs = 0;

  static async start(context: TestContext, { node, way }: SiteOptions): Promise<Site> {
    const folder = temporaryFolder(context);
    const tcp = { port: await freePort() };
    const path = join(folder, "app.sock");
    const lacking = missing("nginx");
    let nginx: Targets["nginx"];
    if (lacking === false) {
      const inner = join(folder, "nginx");
      mkdirSync(inner);
      const tlsPort = await freePort();
      const clear = await startNginx(context, inner, {
        upstream: `server unix:${path}; keepalive 2;`,
        server: location("http://app"),
        more: `
          upstream app_tls { server unix:${path}; keepalive 2; }
          server { listen 127.0.0.1:${tlsPort}; ${location("https://app_tls")} }
        `,
      });
      nginx = [clear, { port: tlsPort }];
    } else context.diagnostic(`without the clients behind nginx: ${lacking}`);
    const site = new Site(folder, { node, way }, { tcp, unix: { path }, nginx });
    cleanUp(context, () => site.#destroy());
    if (!site.hasClock) {
      const hint = "the clock cannot be moved: apt-get install libfaketime";
      if (process.env.CI === "true") throw new Error(hint);
      context.diagnostic(hint);
    }
    await site.run();
    return site;
  }

  private constructor(folder: string, { node, way }: SiteOptions, targets: Targets) {
    this.folder = folder;
    this.#node = node;
    this.#way = way;
    this.certificates = new Certificates(folder);
    this.targets = targets;
    this.controlSocket = join(folder, "control");
    this.records = join(folder, "records");
    this.journal = join(folder, "journal");
    this.#logFolder = join(folder, "logs");
    this.#mark = `CHAOS_RUN=${randomUUID()}`;
    this.hasClock = existsSync(FAKETIME);
    this.census = new Census(this.#mark);
    for (const each of [this.#logFolder, join(folder, "tmp"), join(folder, "state")]) mkdirSync(each);
    this.setBoot("");
    this.setWay(way);
    this.moveClock(0);
    writeFileSync(this.journal, "");
  }

  /** Starts the server, and again until it serves: the sockets of one that was killed are free a moment later. */
  async run(): Promise<void> {
    const end = performance.now() + RESTART_LIMIT_MS;
    for (;;) {
      this.#spawn();
      const process = this.#process;
      const state = await until("the server serves, or has ended", async () => {
        if (process?.exitCode !== null || process.signalCode !== null) return "ended";
        return (await this.status())?.generation ? "serves" : undefined;
      });
      if (state === "serves") return;
      if (performance.now() > end) throw new Error(`the server does not start:\n${this.stderr.slice(-5000)}`);
      await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS));
    }
  }

  #spawn(): void {
    this.starts += 1;
    const { tcp, unix } = this.targets;
    const preload = this.hasClock && {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: join(this.folder, "clock"),
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_CACHE_DURATION: "1",
      NO_FAKE_STAT: "1",
    };
    const [name = "", value] = this.#mark.split("=");
    this.#process = spawn(
      this.#node,
      [
        ...[COMMAND, "-c", "tsgun.config.json", "-n", "chaos"],
        ...["-b", `127.0.0.1:${tcp.port}`, "-b", `unix:${unix.path}`, "--control-socket", this.controlSocket],
        ...["--timeout", `${TIMEOUT_S}s`, "--boot-timeout", "8s", "--graceful-timeout", "8s"],
        ...["--max-old-space", "96MB", "--max-memory", "400MB", "--record-dir", this.records],
        ...["--error-logfile", this.logFile],
      ],
      {
        cwd: this.folder,
        stdio: ["ignore", "ignore", "pipe"],
        env: {
          PATH: process.env.PATH,
          HOME: this.folder,
          TMPDIR: join(this.folder, "tmp"),
          XDG_STATE_HOME: join(this.folder, "state"),
          XDG_RUNTIME_DIR: join(this.folder, "state"),
          NODE_ENV: "production",
          CHAOS_JOURNAL: this.journal,
          CHAOS_BOOT: join(this.folder, "boot"),
          [name]: value,
          ...preload,
        },
      },
    );
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  get logFile(): string {
    return join(this.#logFolder, "error.log");
  }

  /** The whole log, with the files that were rotated, the oldest first. */
  log(): string {
    const rotated = Array.from({ length: this.#logs }, (_, at) =>
      join(this.#logFolder, `error.log.${at + 1}`),
    );
    const texts = [...rotated, this.logFile].map((file) => {
      try {
        return readFileSync(file, "utf8");
      } catch {
        return "";
      }
    });
    return texts.join("");
  }

  /** Where the next rotated log belongs. */
  nextLogFile(): string {
    this.#logs += 1;
    return join(this.#logFolder, `error.log.${this.#logs}`);
  }

  /** The pid of the arbiter that answers commands; undefined while none does. */
  async arbiter(): Promise<number | undefined> {
    return (await this.status())?.pid;
  }

  async status(): Promise<StatusReport | undefined> {
    try {
      return (await requestControl(this.controlSocket, "GET", "/status", undefined, 10_000))
        .body as StatusReport;
    } catch {
      return undefined;
    }
  }

  setBoot(how: string): void {
    writeFileSync(join(this.folder, "boot"), how);
  }

  /** Whether the next rest has to upgrade. */
  takeUpgrade(): boolean {
    const isDue = this.#isUpgradeDue;
    this.#isUpgradeDue = false;
    return isDue;
  }

  get way(): Way {
    return this.#way;
  }

  /** The TCP socket, as the server speaks there now. */
  get direct(): Target {
    const tls = this.#way.tls ? this.certificates.clients[this.#way.http2 ? "h2" : "1.3"] : undefined;
    return { ...this.targets.tcp, tls };
  }

  /** Another app and other protocols, from the next reload on; TLS begins and ends with an upgrade. */
  setWay(way: Way): void {
    this.#isUpgradeDue = way.tls !== this.#way.tls;
    this.#way = way;
    this.setApp();
    this.setConfiguration();
  }

  setApp(source = sourceOf(this.#way)): void {
    this.#replace("app.mjs", source);
  }

  setConfiguration(source = configurationOf(this.#way, WORKERS)): void {
    this.#replace("tsgun.config.json", source);
  }

  /** Moves the clock of all processes of the server by so many milliseconds; the monotonic one goes on. */
  moveClock(milliseconds: number): void {
    this.#clock += milliseconds;
    const seconds = (this.#clock / 1000).toFixed(3);
    this.#replace("clock", `${this.#clock < 0 ? "" : "+"}${seconds}\n`);
  }

  /** As a deploy does: at once. */
  #replace(name: string, text: string): void {
    const file = join(this.folder, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }

  /** Names in the folders where the server makes files: sockets, temporary files, its state. */
  files(): string[] {
    const names = readdirSync(this.folder, { recursive: true, encoding: "utf8" });
    return names.filter((name) => !/^(nginx|records|logs)\b/.test(name)).sort();
  }

  /** Copies what tells what happened. */
  keep(folder: string): void {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "log"), this.log());
    writeFileSync(join(folder, "stderr"), this.stderr);
    cpSync(this.journal, join(folder, "journal"));
    cpSync(this.records, join(folder, "records"), { recursive: true });
    const processes = this.census.seen.map((each) => JSON.stringify(each));
    writeFileSync(join(folder, "processes"), processes.join("\n"));
  }

  /** Ends all that is left, for good. */
  async #destroy(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      this.census.look();
      for (const { pid } of this.census.living) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended meanwhile.
        }
      }
      await until("all processes have ended", () => {
        this.census.look();
        return this.census.living.length === 0;
      });
    }
    this.census.stop();
    this.#process?.stderr?.destroy();
  }
}
