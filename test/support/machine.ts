/**
 * A machine of a test's own, as far as a server sees it: a network namespace with addresses of its own, and a mount
 * namespace in which `/srv` and `/run` are folders of the test's. It has no name, and ends with its last process; one
 * process keeps it until the test ends.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { cleanUp } from "./command.ts";

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** The limit for a command about the network, in milliseconds. */
const TIMEOUT = 10_000;

/** Prints that it is up, and ends with its standard input. */
const HOLD =
  'mount --bind "$1" /srv && mount --bind "$2" /run && ip link set lo up && echo up && exec cat >/dev/null';

export class Machine {
  /** The path here of the machine's `/srv`. */
  readonly srv: string;
  /** The same of `/run`. */
  readonly run: string;
  readonly #holder: ChildProcess;

  private constructor(folder: string) {
    this.srv = join(folder, "srv");
    this.run = join(folder, "run");
    for (const path of [this.srv, this.run]) mkdirSync(path, { recursive: true });
    const words = ["--net", "--mount", "sh", "-c", HOLD, "sh", this.srv, this.run];
    this.#holder = spawn("unshare", words, {
      env: { ...process.env, PATH },
      stdio: ["pipe", "pipe", "inherit"],
    });
  }

  /** @param folder where its files are, of this machine's own */
  static async start(test: TestContext, folder: string): Promise<Machine> {
    const machine = new Machine(folder);
    const holder = machine.#holder;
    const exited = once(holder, "exit");
    cleanUp(test, async () => {
      holder.stdin?.end();
      await exited;
    });
    const up = holder.stdout && once(holder.stdout, "data");
    await Promise.race([up, exited.then(() => Promise.reject(new Error("the machine did not come up")))]);
    return machine;
  }

  /** The process that holds it, by which the kernel knows it. */
  get pid(): number {
    return this.#holder.pid as number;
  }

  /** Words in front of a command: it runs there, in `folder`. */
  enter(folder = "/"): string[] {
    const words = ["nsenter", "--target", `${this.pid}`, "--net", "--mount"];
    return [...words, "sh", "-c", 'cd "$0" && exec "$@"', folder];
  }

  /** Runs a command there; gives its standard output. Throws, with what it wrote to standard error, when it fails. */
  execute(...command: readonly string[]): string {
    const [program = "", ...words] = [...this.enter(), ...command];
    return execFileSync(program, words, {
      encoding: "utf8",
      env: { ...process.env, PATH },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: TIMEOUT,
    });
  }

  /** Lays a cable to another machine: an end of it here, and `eth0` with `address` there. */
  connect(other: Machine, cable: string, bridge: string, address: string): void {
    this.execute("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", `${other.pid}`);
    this.execute("ip", "link", "set", cable, "master", bridge, "up");
    other.execute("ip", "address", "add", `${address}/24`, "dev", "eth0");
    other.execute("ip", "link", "set", "eth0", "up");
  }
}
