/**
 * The folder of records: one file for each end of a worker, named by time, pid, kind and server, so that a list needs to
 * read none. A file appears under its name only when it is complete. For each server name the newest of each kind are
 * kept: fifty reloads do not push out the one crash, nor does an app that cannot boot.
 */
import { constants, mkdirSync, readdirSync } from "node:fs";
import { open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "../system/process-state.ts";
import type { DeathRecord } from "./death-record.ts";
import { MAX_RECORD_BYTES, parseDeathRecord } from "./parse-death.ts";
import { checkRecordFolder } from "./record-path.ts";

/** `boot`: it could not boot. `ordered`: it ended as it was told to. `problem`: all others. */
export type DeathKind = "problem" | "boot" | "ordered";

/** Records kept of each kind, for each server name. */
export const MAX_RECORDS = 50;
/** Records kept of all servers together, since each name of a server has its own. */
export const MAX_FILES = 1000;

/** A clock is corrected by less all the time. */
const CLOCK_TOLERANCE_MS = 60_000;

export interface RecordEntry {
  readonly path: string;
  /** ISO 8601. */
  readonly time: string;
  readonly pid: number;
  readonly kind: DeathKind;
  /** As in the file's name: characters that a name may lack are replaced. */
  readonly server: string;
}

const FILE =
  /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-(\d{1,10})-(problem|boot|ordered)-([\w.-]{1,64})\.json$/;
const DRAFT = /^\.draft-\d+-\d+$/;

/** The part of a file's name that stands for the server. */
export function serverKey(name: string): string {
  return name.replace(/[^\w.-]/g, "_").slice(0, 64) || "_";
}

export function kindOf({ end }: DeathRecord): DeathKind {
  if (!end.isProblem) return "ordered";
  return end.reason === "boot_failed" ? "boot" : "problem";
}

function fileName(record: DeathRecord): string {
  const time = record.time.replace(/[-:.]/g, "");
  return `${time}-${record.worker.pid}-${kindOf(record)}-${serverKey(record.server.name)}.json`;
}

function entryOf(folder: string, name: string): RecordEntry | undefined {
  const [, year, month, day, hour, minute, second, ms, pid, kind, server = ""] = FILE.exec(name) ?? [];
  if (pid === undefined) return undefined;
  return {
    path: join(folder, name),
    time: `${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`,
    pid: Number(pid),
    kind: kind as DeathKind,
    server,
  };
}

/** Lists the records of a folder, the newest first; none if it cannot be read. */
export function listRecords(folder: string): RecordEntry[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .flatMap((name) => entryOf(folder, name) ?? [])
    .sort((a, b) => (a.path < b.path ? 1 : a.path > b.path ? -1 : 0));
}

/** Reads a record. Returns undefined if it is gone, or is none: what the folder holds is not trusted. */
export async function readRecord({ path }: RecordEntry): Promise<DeathRecord | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > MAX_RECORD_BYTES) return undefined;
      return parseDeathRecord(await file.readFile("utf8"));
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/**
 * Records from the future last, of records that are the newest first: the clock has been set back since, and those that are
 * written now must not count as the oldest.
 */
function presentFirst(records: readonly RecordEntry[]): readonly RecordEntry[] {
  const now = new Date(Date.now() + CLOCK_TOLERANCE_MS).toISOString();
  const [present, future] = [false, true].map((isFuture) =>
    records.filter(({ time }) => time > now === isFuture),
  );
  return [...(present ?? []), ...(future ?? [])];
}

export class RecordFolder {
  readonly path: string;
  #drafts = 0;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Opens the folder, and creates it if it does not exist.
   * @throws Error with the reason on one line
   */
  static open(path: string): RecordFolder {
    checkRecordFolder(path);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    checkRecordFolder(path);
    return new RecordFolder(path);
  }

  /** Writes a record and removes the oldest that are too many. Rejects with a system error. */
  async write(record: DeathRecord): Promise<void> {
    this.#drafts += 1;
    const draft = join(this.path, `.draft-${process.pid}-${this.#drafts}`);
    try {
      await writeFile(draft, `${JSON.stringify(record)}\n`, { flag: "wx", mode: 0o600 });
      await rename(draft, join(this.path, fileName(record)));
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw error;
    }
    await this.#prune();
  }

  async #prune(): Promise<void> {
    const counts = new Map<string, number>();
    let kept = 0;
    for (const { path, kind, server } of presentFirst(listRecords(this.path))) {
      const group = `${kind} ${server}`;
      const count = (counts.get(group) ?? 0) + 1;
      counts.set(group, count);
      if (count <= MAX_RECORDS && kept < MAX_FILES) kept += 1;
      else await rm(path, { force: true });
    }
  }

  /** Removes what writers that were killed have left behind. Call once, when nobody else writes. */
  async removeDrafts(): Promise<void> {
    const drafts = readdirSync(this.path).filter((name) => DRAFT.test(name));
    const dead = drafts.filter((name) => !exists(Number(name.split("-")[1])));
    await Promise.all(dead.map((name) => rm(join(this.path, name), { force: true })));
  }
}
