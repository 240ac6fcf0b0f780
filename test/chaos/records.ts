/** The records of all ends, collected while the server writes and prunes them, and what `tsgun why` says of each. */

import { setTimeout as pause } from "node:timers/promises";
import type { DeathRecord } from "../../src/records/death-record.ts";
import { listRecords, readRecord } from "../../src/records/record-folder.ts";
import { tellDeath } from "../../src/records/story.ts";

const INTERVAL_MS = 200;
/** A record is written after its worker has ended. */
const WRITTEN_WITHIN_MS = 10_000;

export class Records {
  readonly byPid = new Map<number, DeathRecord>();
  readonly #folder: string;
  readonly #known = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(folder: string) {
    this.#folder = folder;
    this.#timer = setInterval(() => void this.read(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The record of a worker that has ended; undefined if none is written in time. */
  async of(pid: number): Promise<DeathRecord | undefined> {
    const end = performance.now() + WRITTEN_WITHIN_MS;
    while (!this.byPid.has(pid) && performance.now() < end) {
      await pause(INTERVAL_MS);
      await this.read();
    }
    return this.byPid.get(pid);
  }

  async read(): Promise<void> {
    for (const entry of listRecords(this.#folder)) {
      if (this.#known.has(entry.path)) continue;
      this.#known.add(entry.path);
      const record = await readRecord(entry);
      if (record !== undefined) this.byPid.set(entry.pid, record);
    }
  }
}

/** Whether requests may be lost with a worker that has ended so; in words, or undefined. */
export function lossyEnd({ end }: DeathRecord): string | undefined {
  if (end.killedFor !== null) return `killed for ${end.killedFor}`;
  if (end.signal !== null) return end.how;
  return end.reason === "crash" || end.reason === "heap_oom" ? end.how : undefined;
}

/** Names the flaw in the story of an end that was brought about by `killed`, or by tsgun; undefined if it explains it. */
export function storyFault(record: DeathRecord, killed: string | undefined): string | undefined {
  const story = tellDeath(record);
  const text = story.join("\n");
  if (!text.includes(String(record.worker.pid))) return "it does not name the worker";
  if (record.end.isProblem && !/^(Likely cause|What to do): /m.test(text))
    return `it names neither a cause nor what to do: ${story[0]}`;
  if (killed?.startsWith("SIG") === true && record.end.killedFor === null && record.end.signal !== null)
    return text.includes(killed) || text.includes(record.end.signal)
      ? undefined
      : `it does not name ${killed}`;
  return undefined;
}
