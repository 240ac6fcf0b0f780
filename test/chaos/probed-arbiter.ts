/** An arbiter whose memory can be looked into, with workers that cost little (`short-life.mjs`) in place of the real ones. */
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { StatusReport } from "../../src/control/api.ts";
import { requestControl } from "../../src/control/control-client.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

const ROOT = join(FIXTURES, "..", "..");

export interface ProbedMemory {
  /** In bytes, after collections. */
  readonly heapUsed: number;
  readonly external: number;
  /** In bytes, before them: V8's young generation, and all memory. */
  readonly young: number;
  readonly pss: number;
  readonly descriptors: number;
}

export interface ProbedOptions {
  /** Each worker is due for replacement as soon as it is ready. */
  readonly shortLives: boolean;
  readonly workers: number;
  readonly node?: string;
  /** Its configuration is a module that imports another one; else JSON. */
  readonly hasModule?: boolean;
}

export class ProbedArbiter {
  readonly command: RunningCommand;
  readonly controlSocket: string;
  readonly #folder: string;

  constructor(context: TestContext, { shortLives, workers, node, hasModule = false }: ProbedOptions) {
    this.#folder = temporaryFolder(context);
    this.controlSocket = join(this.#folder, "control");
    // The built command with another program for its workers.
    const copy = join(this.#folder, "tsgun");
    mkdirSync(copy);
    cpSync(join(ROOT, "dist"), join(copy, "dist"), { recursive: true });
    copyFileSync(join(FIXTURES, "chaos", "short-life.mjs"), join(copy, "dist", "worker", "main.js"));
    copyFileSync(join(ROOT, "package.json"), join(copy, "package.json"));
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    if (hasModule) {
      writeFileSync(join(this.#folder, "workers.mjs"), `export const workers = ${workers};\n`);
      const module = 'import { workers } from "./workers.mjs";\nexport default { workers };\n';
      writeFileSync(join(this.#folder, "tsgun.config.mjs"), module);
    } else writeFileSync(join(this.#folder, "tsgun.config.json"), `${JSON.stringify({ workers })}\n`);
    writeFileSync(join(this.#folder, "app.mjs"), "export const app = () => {};\n");
    this.command = startCommand(
      context,
      [
        ...[
          "app.mjs",
          "-b",
          `unix:${join(this.#folder, "app.sock")}`,
          "--control-socket",
          this.controlSocket,
        ],
        ...["--record-dir", join(this.#folder, "records")],
      ],
      {
        cwd: this.#folder,
        command: join(copy, "dist", "cli", "main.js"),
        ...(node !== undefined && { node }),
        env: {
          NODE_OPTIONS: `--require ${join(FIXTURES, "chaos", "memory-probe.cjs")}`,
          MEMORY_PROBE: join(this.#folder, "probe"),
          ...(shortLives && { SHORT_LIFE: "1" }),
        },
      },
    );
  }

  /** Workers that have begun. */
  get lives(): number {
    return this.command.lines(/Booting worker with pid/).length;
  }

  /** Waits until so many more workers have begun. */
  async live(more: number): Promise<void> {
    const goal = this.lives + more;
    await until(`${goal} workers have begun`, () => this.lives >= goal, 600_000);
  }

  /** The pid of the arbiter that answers commands. */
  async pid(): Promise<number> {
    const { body } = await requestControl(this.controlSocket, "GET", "/status");
    return (body as StatusReport).pid;
  }

  async reload(): Promise<void> {
    const { status } = await requestControl(this.controlSocket, "POST", "/reload");
    if (status !== 200) throw new Error(`a reload was answered with ${status}`);
  }

  memory(): Promise<ProbedMemory> {
    return this.#ask("");
  }

  /** How many objects of each kind its heap holds. */
  async objects(): Promise<Map<string, number>> {
    const file = join(this.#folder, "heap.heapsnapshot");
    await this.#ask(file);
    const counts = countObjects(readFileSync(file, "utf8"));
    rmSync(file);
    return counts;
  }

  #ask(words: string): Promise<ProbedMemory> {
    return askProbe(join(this.#folder, "probe"), words);
  }
}

/** The memory of a process that has `memory-probe.cjs` preloaded. With a file as `words` it writes a snapshot there. */
export function askProbe(path: string, words = ""): Promise<ProbedMemory> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path, () => socket.write(`${words}\n`));
    socket.on("data", (bytes: Buffer) => {
      text += bytes;
    });
    socket.once("error", reject);
    socket.once("end", () => resolve(JSON.parse(text) as ProbedMemory));
  });
}

export function memoryText({ heapUsed, external, young, pss, descriptors }: ProbedMemory): string {
  const [heap, outside, space, all] = [heapUsed, external, young, pss].map((bytes) =>
    (bytes / 1e6).toFixed(2),
  );
  return `heap ${heap} MB, external ${outside} MB, young generation ${space} MB, PSS ${all} MB, ${descriptors} descriptors`;
}

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: string[];
      readonly node_types: [string[], ...unknown[]];
      readonly location_fields: string[];
    };
  };
  readonly locations: number[];
  readonly nodes: number[];
  readonly strings: string[];
}

/**
 * Counts the objects and closures of a heap snapshot by their class; V8's own (code, shapes, feedback) come and go. Texts
 * and numbers are what the arbiter keeps of a bounded past: its last 500 lines, its figures of ten minutes.
 */
function countObjects(json: string): Map<string, number> {
  const { snapshot, nodes, strings, locations } = JSON.parse(json) as Snapshot;
  const { node_fields: fields, node_types: types, location_fields: parts } = snapshot.meta;
  const places = new Map<number, string>();
  for (let at = 0; at < locations.length; at += parts.length)
    places.set(locations[at] as number, locations.slice(at + 1, at + parts.length).join(":"));
  const [type, name] = [fields.indexOf("type"), fields.indexOf("name")];
  const counts = new Map<string, number>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = types[0][nodes[at + type] as number] as string;
    if (!/^(object|closure|native)$/.test(kind)) continue;
    // By its place, since a module that is loaded meanwhile brings one of each of many functions.
    const place = kind === "closure" ? ` at ${places.get(at)}` : "";
    const key = `${kind} ${strings[nodes[at + name] as number]}${place}`;
    if (key === "object system / Context") continue;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** The kinds of which there are at least half an object more for each of `steps`: what each step leaves behind. */
export function leftByEach(
  steps: number,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): string[] {
  return [...after].flatMap(([key, count]) => {
    const more = count - (before.get(key) ?? 0);
    return more >= steps / 2 ? `${key}: ${more} more after ${steps}` : [];
  });
}
