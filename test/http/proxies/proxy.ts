/** A real proxy in a temporary folder, and what it says of the requests that it has forwarded. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type LanePaths, nginxLog, writeHaproxy, writeNginx } from "./proxy-config.ts";

export type ProxyName = "nginx" | "haproxy";

/** A request that a proxy has forwarded, in its own words. */
export interface Forwarded {
  readonly method: string;
  readonly target: string;
  /** Undefined if the proxy did not keep it. */
  readonly body: string | undefined;
}

const START_MS = 20_000;

export class RunningProxy {
  readonly name: ProxyName;
  readonly #process: ChildProcess;
  readonly #folder: string;
  /** HAProxy's lines that nobody has taken, by lane. */
  readonly #lines = new Map<string, Forwarded[]>();
  /** nginx has a log for each lane, HAProxy one for all. */
  readonly #logs = new Map<string, LogReader>();
  readonly #output: number;
  errors = "";

  private constructor(name: ProxyName, folder: string, lanes: readonly LanePaths[]) {
    this.name = name;
    this.#folder = folder;
    const words =
      name === "nginx"
        ? ["-c", writeNginx(folder, lanes), "-e", "stderr"]
        : ["-db", "-f", writeHaproxy(folder, lanes)];
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    // A file: HAProxy drops lines that a pipe has no room for.
    this.#output = openSync(join(folder, "output.log"), "w+");
    this.#process = spawn(name, words, { env, stdio: ["ignore", this.#output, "pipe"] });
    this.#process.stderr?.setEncoding("latin1").on("data", (text: string) => {
      this.errors += text;
    });
  }

  /** Starts it and waits until each entrance accepts. */
  static async start(name: ProxyName, folder: string, lanes: readonly LanePaths[]): Promise<RunningProxy> {
    const proxy = new RunningProxy(name, folder, lanes);
    const end = performance.now() + START_MS;
    for (const { entrance } of lanes) {
      while (!(await accepts(entrance))) {
        if (proxy.#process.exitCode !== null || performance.now() > end)
          throw new Error(`${name} does not start: ${proxy.errors}`);
        await pause(20);
      }
    }
    return proxy;
  }

  #readHaproxy(): void {
    for (const line of this.#log("output.log").lines()) {
      const match = /^(\S+) (\S+) m(\S*) t(\S*) b(\S*)$/.exec(line);
      if (match === null || match[2] !== "app") continue;
      const [, lane = "", , method = "", target = "", body = ""] = match;
      const known = this.#lines.get(lane) ?? [];
      this.#lines.set(lane, known);
      known.push({ method: fromHex(method), target: fromHex(target), body: fromHex(body) });
    }
  }

  #log(name: string): LogReader {
    const known = this.#logs.get(name) ?? new LogReader(join(this.#folder, name));
    this.#logs.set(name, known);
    return known;
  }

  /** Takes the requests that the log has of this lane, and that no earlier call has taken. */
  forwarded(lane: LanePaths): Forwarded[] {
    if (this.name === "haproxy") this.#readHaproxy();
    const found =
      this.name === "nginx" ? this.#nginxLines(lane) : (this.#lines.get(lane.name)?.splice(0) ?? []);
    return lane.streams ? found.map((one) => ({ ...one, body: undefined })) : found;
  }

  #nginxLines(lane: LanePaths): Forwarded[] {
    return this.#log(nginxLog(lane))
      .lines()
      .map((line) => JSON.parse(line) as Forwarded & { body: string; upstream: string })
      .filter(({ upstream }) => upstream !== "")
      .map(({ method, target, body }) => ({ method, target, body }));
  }

  async stop(): Promise<void> {
    for (const log of this.#logs.values()) log.close();
    closeSync(this.#output);
    this.#process.kill("SIGTERM");
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, "exit");
  }
}

/** Reads the lines that have been added to a file. */
class LogReader {
  readonly #descriptor: number;
  #at = 0;
  #rest = "";

  constructor(path: string) {
    this.#descriptor = openSync(path, "r");
  }

  lines(): string[] {
    const bytes = Buffer.alloc(fstatSync(this.#descriptor).size - this.#at);
    this.#at += readSync(this.#descriptor, bytes, 0, bytes.length, this.#at);
    const lines = (this.#rest + bytes.toString("latin1")).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function fromHex(text: string): string {
  return text === "-" ? "" : Buffer.from(text, "hex").toString("latin1");
}

async function accepts(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
