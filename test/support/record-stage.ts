/** A server whose workers die in all ways, and `tsgun why` about each. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import type { DeathRecord } from "../../src/records/death-record.ts";
import { cgroupOf } from "../../src/system/cgroup.ts";
import {
  type CommandOptions,
  cleanUp,
  isAlive,
  RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "./command.ts";

/** A secret that is planted wherever a record must not find it. */
export const SECRET = "hunter2-secret";

export interface Told {
  readonly lines: readonly string[];
  readonly record: DeathRecord;
}

export class RecordStage {
  readonly command: RunningCommand;
  readonly records: string;
  readonly controlSocket: string;
  readonly #node: string | undefined;

  /** @param records the folder of the records; by default one that does not exist yet */
  constructor(context: TestContext, args: readonly string[], options: CommandOptions = {}, records?: string) {
    const folder = temporaryFolder(context);
    this.records = records ?? join(folder, "records");
    this.#node = options.node;
    this.controlSocket = join(folder, "c");
    const given = ["-b", "127.0.0.1:0", "-n", "shop", "--record-dir", this.records];
    const env = { ...options.env, TOKEN: SECRET };
    this.command = startCommand(
      context,
      [...args, ...given, "--control-socket", this.controlSocket, "--env", `PASSWORD=${SECRET}`],
      { ...options, env },
    );
  }

  /** Sends a request that holds secrets; nobody waits for the response. */
  async send(target: string): Promise<void> {
    const url = `http://127.0.0.1:${await this.command.port()}${target}`;
    const headers = { authorization: `Bearer ${SECRET}`, cookie: `session=${SECRET}` };
    fetch(url, { method: "POST", headers, body: `password=${SECRET}` }).catch(() => {});
  }

  /** The pid of the one worker that serves now. Its page has no request any more: a killed worker would leave it there. */
  async worker(): Promise<number> {
    const url = `http://127.0.0.1:${await this.command.port()}/`;
    const pid = Number(await until("a worker answers", async () => (await fetch(url)).text()));
    await until("its request has ended", async () => {
      const { body } = await requestControl(this.controlSocket, "GET", "/requests");
      return (body as readonly unknown[]).length === 0;
    });
    return pid;
  }

  /** Returns the story that `tsgun why` tells of a worker, once it has ended. */
  async why(pid: number): Promise<Told> {
    await until(`worker ${pid} has ended`, () => !isAlive(pid));
    await until("it is recorded", () => this.files().some((name) => name.includes(`-${pid}-`)));
    return await tell(this.records, String(pid), this.#node);
  }

  files(): string[] {
    try {
      return readdirSync(this.records);
    } catch {
      return [];
    }
  }

  /** All that the folder holds. */
  everything(): string {
    return this.files()
      .map((name) => readFileSync(join(this.records, name), "utf8"))
      .join("\n");
  }
}

export async function tell(folder: string, worker: string, node?: string): Promise<Told> {
  const run = async (...args: string[]): Promise<string> => {
    const options = node === undefined ? {} : { node };
    const command = new RunningCommand(["why", worker, "--record-dir", folder, ...args], options);
    await command.ended();
    if (command.exit?.code !== 0) throw new Error(command.stderr);
    return command.stdout;
  };
  return { lines: (await run()).split("\n"), record: JSON.parse(await run("--json")) as DeathRecord };
}

/**
 * Makes a control group whose processes may use `bytes` of memory. Returns the words that run a command in it, or
 * undefined where none can be made.
 */
export function memoryGroup(context: TestContext, bytes: number): readonly string[] | undefined {
  const own = cgroupOf("memory");
  const top = own?.folders.at(-1);
  if (top === undefined || process.getuid?.() !== 0) return undefined;
  const folder = join(top, `tsgun-test-${process.pid}`);
  try {
    mkdirSync(folder);
  } catch {
    return undefined;
  }
  cleanUp(context, async () => {
    const procs = (): string => readFileSync(join(folder, "cgroup.procs"), "utf8");
    await until("the control group is empty", () => procs() === "");
    rmdirSync(folder);
  });
  try {
    writeFileSync(join(folder, own?.version === 1 ? "memory.limit_in_bytes" : "memory.max"), String(bytes));
    const enter = `echo $$ > ${folder}/cgroup.procs`;
    if (spawnSync("sh", ["-c", enter]).status !== 0) return undefined;
    return ["sh", "-c", `${enter} && exec "$@"`, "sh"];
  } catch {
    return undefined;
  }
}
