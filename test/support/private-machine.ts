/** A machine of the test's own, in which commands of the documentation run as they stand: see private-machine.sh. */
import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { childrenOf, until } from "./command.ts";
import { missing } from "./component.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const SCRIPT = join(ROOT, "test", "docs", "private-machine.sh");

/** For a test's `skip` option. */
export function noPrivateMachine(): string | false {
  if (process.platform !== "linux") return "needs namespaces, which Linux has";
  if (process.getuid?.() !== 0) return "needs root for namespaces: run the tests as root";
  for (const [command, install] of [
    ["nsenter", "util-linux"],
    ["ip", "iproute2"],
    ["nginx", "nginx"],
    ["curl", "curl"],
  ] as const) {
    const reason = missing(command, install);
    if (reason !== false) return reason;
  }
  const { status } = spawnSync("unshare", ["--mount", "--pid", "--net", "--fork", "true"]);
  return status === 0 ? false : "this machine does not allow new namespaces";
}

export class PrivateMachine {
  readonly #process: ChildProcess;
  readonly #inner: number;

  private constructor(process: ChildProcess, inner: number) {
    this.#process = process;
    this.#inner = inner;
  }

  /** @param home what is seen as /home/you */
  static async boot(home: string): Promise<PrivateMachine> {
    const visible = [ROOT, dirname(process.execPath), join(dirname(process.execPath), "..", "lib")];
    const child = spawn(SCRIPT, [home, ...visible], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    }
    await until("the private machine is up", () => {
      if (child.exitCode !== null) throw new Error(said);
      return said.includes("ready");
    });
    const [inner] = childrenOf(child.pid as number);
    return new PrivateMachine(child, inner as number);
  }

  #enter(words: readonly string[]): string[] {
    const namespaces = ["--mount", "--net", "--ipc", "--uts", "--pid"];
    return ["--target", String(this.#inner), ...namespaces, "--", ...words];
  }

  /** Starts a command inside, in a process group of its own, as a terminal does. */
  spawn(words: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    return spawn("nsenter", this.#enter(words), { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  }

  /** Runs a command inside to its end. */
  runSync(
    words: readonly string[],
    env: Readonly<Record<string, string>>,
    input: string,
  ): SpawnSyncReturns<string> {
    return spawnSync("nsenter", this.#enter(words), { env, input, encoding: "utf8", timeout: 10_000 });
  }

  /** Ends everything inside. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    process.kill(this.#inner, "SIGKILL");
    await ended;
  }
}
