/**
 * The folder `examples/scale-out` on four machines of the test's own, with the very addresses that it names: three hosts
 * behind one with the proxy, and a wire to each that can be cut.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";
import {
  COMMAND,
  cleanUp,
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "./command.ts";
import { Machine } from "./machine.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const EXAMPLE = join(ROOT, "examples", "scale-out");
const ADDRESSES = ["10.77.0.11", "10.77.0.12", "10.77.0.13"];
const BRIDGE = "lan";

/** Where clients ask. */
export const FRONT = { host: "10.77.0.10", port: 80 } as const;

/** How each proxy is started in the example's folder, to stay in the foreground. */
const PROXIES = {
  nginx: ["nginx", "-p", ".", "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"],
  haproxy: ["haproxy", "-db", "-f", "haproxy.cfg"],
} as const;

/** Three servers start at a time, on a machine that may be busy with other tests. */
export const START_WITHIN_MS = 60_000;

/** How much of a proxy's log is of interest, in characters. */
const LOG_SHOWN = 6000;

export type ProxyName = keyof typeof PROXIES;

export interface Deployment {
  readonly code: number | null;
  readonly output: string;
}

export class Host {
  readonly address: string;
  readonly machine: Machine;
  readonly #test: TestContext;
  readonly #front: Machine;
  readonly #cable: string;
  server!: RunningCommand;

  constructor(test: TestContext, address: string, machine: Machine, front: Machine) {
    this.address = address;
    this.machine = machine;
    this.#test = test;
    this.#front = front;
    this.#cable = `to-${address.split(".").at(-1)}`;
    front.connect(machine, this.#cable, BRIDGE, address);
  }

  /** Starts tsgun, as the unit in docs/scale-out.md does. */
  startServer(): void {
    const words = ["--config", "current/tsgun.config.ts", "spied.ts:handler"];
    this.server = startCommand(this.#test, words, {
      prefix: this.machine.enter("/srv/app"),
      env: { ADDRESS: this.address },
    });
  }

  /** From now on every packet from and to it is lost. */
  cutOff(): void {
    this.#front.execute("ip", "link", "set", this.#cable, "down");
  }

  reconnect(): void {
    this.#front.execute("ip", "link", "set", this.#cable, "up");
  }

  /** The arbiter and all its workers are gone at once. */
  async die(): Promise<void> {
    const { server } = this;
    const pids = [server.pid, ...server.workers()];
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await server.ended();
  }

  /** The release that it serves after a restart. */
  get current(): string {
    return basename(readlinkSync(join(this.machine.srv, "app", "current")));
  }

  get releases(): string[] {
    return readdirSync(join(this.machine.srv, "app", "releases")).sort();
  }

  /** The requests that have reached the app, each as `METHOD PATH`. */
  arrivals(): string[] {
    const text = readFileSync(join(this.machine.srv, "app", "arrivals"), "utf8");
    return text.split("\n").filter(Boolean);
  }
}

export class ScaleOut {
  readonly hosts: Host[] = [];
  readonly folder: string;
  readonly #test: TestContext;
  #front!: Machine;

  private constructor(test: TestContext) {
    this.#test = test;
    this.folder = temporaryFolder(test);
    // nginx's own processes belong to another user.
    chmodSync(this.folder, 0o755);
  }

  /** The hosts serve the release `one` when it resolves. */
  static async start(test: TestContext): Promise<ScaleOut> {
    const site = new ScaleOut(test);
    cpSync(EXAMPLE, site.folder, { recursive: true, filter: (path) => !/\/run\/[^.]/.test(path) });
    await site.#connect();
    for (const host of site.hosts) {
      site.#install(host);
      host.startServer();
    }
    const serve = (): boolean =>
      site.hosts.every(({ server }) => server.lines(/Ready: generation 1 /).length > 0);
    await until("all hosts serve", serve, START_WITHIN_MS);
    return site;
  }

  /** The machine of the proxy. */
  get front(): Machine {
    return this.#front;
  }

  async #connect(): Promise<void> {
    const start = (name: string): Promise<Machine> => Machine.start(this.#test, join(this.folder, name));
    this.#front = await start("front");
    this.#front.execute("ip", "link", "add", BRIDGE, "type", "bridge");
    this.#front.execute("ip", "address", "add", `${FRONT.host}/24`, "dev", BRIDGE);
    this.#front.execute("ip", "link", "set", BRIDGE, "up");
    for (const address of ADDRESSES) {
      this.hosts.push(new Host(this.#test, address, await start(address), this.#front));
    }
  }

  /** The set-up of each host from the README. */
  #install(host: Host): void {
    const app = join(host.machine.srv, "app");
    this.release(join(app, "releases"), "one");
    symlinkSync("releases/one", join(app, "current"));
    mkdirSync(join(app, "node_modules", ".bin"), { recursive: true });
    symlinkSync(ROOT, join(app, "node_modules", "tsgun"));
    symlinkSync(COMMAND, join(app, "node_modules", ".bin", "tsgun"));
    mkdirSync(join(host.machine.run, "app"));
  }

  /** A release in a folder of its own, as one has it before it is deployed; `more` is at the end of its app. */
  release(folder: string, name: string, more = ""): string {
    const path = join(folder, name);
    mkdirSync(path, { recursive: true });
    copyFileSync(join(EXAMPLE, "tsgun.config.ts"), join(path, "tsgun.config.ts"));
    copyFileSync(join(FIXTURES, "network", "spied.ts"), join(path, "spied.ts"));
    writeFileSync(join(path, "app.ts"), readFileSync(join(EXAMPLE, "app.ts"), "utf8") + more);
    return path;
  }

  /** Runs the example's script, with another way onto the hosts than ssh. */
  async deploy(folder: string, release: string): Promise<Deployment> {
    const way = join(this.folder, "stand-in-for-ssh");
    const cases = this.hosts.map(({ address, machine }) => `${address}) pid=${machine.pid} ;;`).join(" ");
    const script = `#!/bin/sh\nhost=$1; shift\ncase $host in ${cases} *) exit 255 ;; esac
exec nsenter --target "$pid" --net --mount sh -c "$*"\n`;
    writeFileSync(way, script, { mode: 0o755 });
    const addresses = this.hosts.map(({ address }) => address);
    const child = spawn(join(this.folder, "rolling-deploy.sh"), [folder, ...addresses], {
      env: { ...process.env, SSH: way, RELEASE: release },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    const [code] = (await once(child, "close")) as [number | null];
    return { code, output };
  }

  /** Starts the proxy with the example's configuration, and waits until it listens. It is stopped when the test ends. */
  async startProxy(proxy: ProxyName): Promise<void> {
    const [program = "", ...words] = [...this.#front.enter(this.folder), ...PROXIES[proxy]];
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    const log = openSync(join(this.folder, "run", "proxy.log"), "w");
    const child = spawn(program, words, { env, stdio: ["ignore", log, log] });
    closeSync(log);
    const exited = once(child, "exit");
    cleanUp(this.#test, async () => {
      child.kill("SIGTERM");
      await exited;
    });
    await until(`${proxy} listens`, () => {
      if (child.exitCode !== null) throw new Error(`${proxy} ended: ${this.proxyLog()}`);
      return this.#front.execute("ss", "-ltnH").includes(`${FRONT.host}:${FRONT.port} `);
    });
  }
  /** The proxy's output so far, with nginx's access log. */
  proxyLog(): string {
    const paths = ["proxy.log", "nginx-access.log"].map((name) => join(this.folder, "run", name));
    return paths.map((path) => (existsSync(path) ? readFileSync(path, "utf8") : "")).join("");
  }

  /** The servers' output and the end of the proxy's log, for error messages. */
  report(): string {
    const servers = this.hosts.map(({ address, server }) => `--- ${address}\n${server.stderr}`);
    return [...servers, `--- the end of the proxy's log\n${this.proxyLog().slice(-LOG_SHOWN)}`].join("\n");
  }

  /** The proxy's log line for a request, which names the hosts that were tried. */
  proxyLine(request: string): string | undefined {
    return this.proxyLog()
      .split("\n")
      .find((line) => line.includes(`"${request} HTTP/1.1"`));
  }
}
