/** A systemd of the test's own, with the units of a folder and nothing else of the machine's. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { descendants } from "../../src/system/process-tree.ts";
import { missing } from "./component.ts";

const SCRIPT = join(import.meta.dirname, "..", "systemd", "private-systemd.sh");
const DEADLINE_MS = 20_000;
const COMMAND_TIMEOUT_MS = 10_000;

/** For a test's `skip` option. */
export function noPrivateSystemd(): string | false {
  if (process.platform !== "linux") return "systemd is Linux's";
  if (process.getuid?.() !== 0) return "needs root for namespaces: run the tests as root";
  const needed = [
    ["/lib/systemd/systemd", "systemd"],
    ["systemctl", "systemd"],
    ["nsenter", "util-linux"],
    ["setpriv", "util-linux"],
    ["ip", "iproute2"],
  ] as const;
  for (const [command, install] of needed) {
    const reason = missing(command, install);
    if (reason !== false) return reason;
  }
  const { status } = spawnSync("unshare", ["--mount", "--pid", "--net", "--cgroup", "--fork", "true"]);
  return status === 0 ? false : "this machine does not allow new namespaces";
}

export class PrivateSystemd {
  readonly #process: ChildProcess;
  #output = "";
  #pid = "";

  private constructor(units: string, visible: readonly string[]) {
    this.#process = spawn(SCRIPT, [units, ...visible], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (chunk) => {
        this.#output += chunk;
      });
    }
  }

  /** Resolves when the system answers. */
  static async boot(units: string, visible: readonly string[]): Promise<PrivateSystemd> {
    const system = new PrivateSystemd(units, visible);
    try {
      await system.until("systemd to be up", () => {
        const [first] = descendants(system.#process.pid as number).filter(({ command }) =>
          command.includes("--system"),
        );
        system.#pid = String(first?.pid ?? "");
        return first !== undefined && system.run("systemctl", "is-active", "test.target") === "active";
      });
    } catch (error) {
      await system.stop();
      throw error;
    }
    return system;
  }

  /** Runs a command inside; gives its standard output. */
  run(...command: string[]): string {
    const enter = ["--target", this.#pid, "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--"];
    return spawnSync("nsenter", [...enter, ...command], {
      encoding: "utf8",
      timeout: COMMAND_TIMEOUT_MS,
    }).stdout.trim();
  }

  /** A property of a unit, as `systemctl show` gives it. */
  property(unit: string, name: string): string {
    return this.run("systemctl", "show", "--value", "--property", name, unit);
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    for (const deadline = Date.now() + DEADLINE_MS; ; ) {
      try {
        if (holds()) return;
      } catch {
        // Not yet.
      }
      if (this.#process.exitCode !== null || Date.now() > deadline) {
        throw new Error(`waited for ${what}\n${this.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends everything inside and waits until nothing of it is left. */
  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill("SIGKILL");
      await once(this.#process, "exit");
    }
    const unified = /^\S+ (\S+) cgroup2 /m.exec(readFileSync("/proc/mounts", "utf8"))?.[1];
    const group = `${unified}/tsgun-systemd-${this.#process.pid}`;
    for (const deadline = Date.now() + DEADLINE_MS; existsSync(group); ) {
      if (Date.now() > deadline) throw new Error(`${group} is still there`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
