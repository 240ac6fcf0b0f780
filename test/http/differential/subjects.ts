/** The subjects that generated connections can be checked against. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../support/random.ts";
import { type GeneratedCase, generatedCase } from "./case.ts";
import { checkEngine, endingOf } from "./engine-check.ts";
import { checkGateway, checkNode } from "./server-check.ts";
import { type ServerKind, SocketLane } from "./socket-lane.ts";

export interface Subject {
  readonly name: string;
  /** Makes the case with this number. */
  readonly generate: (seed: number, number: number) => GeneratedCase;
  /** The parts of a text that may be left out; undefined: any characters. */
  readonly parts?: (text: string) => string[];
  /** How many cases may be checked at the same time. */
  readonly lanes: number;
  /** Returns how the connection ended, in a word; throws if the readings differ. */
  check(item: GeneratedCase): string | Promise<string>;
  close(): void | Promise<void>;
}

/** The parser alone. */
const engine: Subject = {
  name: "engine",
  generate: generatedCase,
  lanes: 1,
  check: ({ text, limits, seed }) =>
    endingOf(checkEngine(Buffer.from(text, "latin1"), limits, new Random(seed))),
  close: () => {},
};

const SOCKET_LANES = 24;

/** Servers of this kind in this process, each asked by one client at a time. */
async function servers(kind: ServerKind, secure = false): Promise<Subject> {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-fuzz-"));
  const lanes: SocketLane[] = [];
  for (let at = 0; at < SOCKET_LANES; at += 1)
    lanes.push(await SocketLane.open(kind, join(folder, `${at}.sock`), secure));
  const free = [...lanes];
  const check = kind === "gateway" ? checkGateway : checkNode;
  return {
    name: secure ? (kind === "gateway" ? "tls" : "tls-node") : kind,
    generate: generatedCase,
    lanes: SOCKET_LANES,
    check: async ({ text, seed }) => {
      const lane = free.pop() as SocketLane;
      try {
        return await check(lane, text, new Random(seed));
      } finally {
        free.push(lane);
      }
    },
    close: () => {
      for (const lane of lanes) lane.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function proxied(name: "nginx" | "haproxy"): Promise<Subject> {
  const { openProxied } = await import("../proxies/proxied-subject.ts");
  return await openProxied(name, 2);
}

async function http2(): Promise<Subject> {
  const { openH2 } = await import("./h2/subject.ts");
  return await openH2();
}

/** By name, each opened only when asked for. */
export const SUBJECTS: Readonly<Record<string, () => Subject | Promise<Subject>>> = {
  engine: () => engine,
  gateway: () => servers("gateway"),
  node: () => servers("node"),
  tls: () => servers("gateway", true),
  "tls-node": () => servers("node", true),
  h2: http2,
  nginx: () => proxied("nginx"),
  haproxy: () => proxied("haproxy"),
};

export async function openSubject(name: string): Promise<Subject> {
  const open = SUBJECTS[name];
  if (open === undefined) throw new Error(`no subject ${name}`);
  return await open();
}
