/**
 * The scoreboard as this arbiter holds it: a page for each of its workers, the sums of those that have ended, and during
 * an upgrade the region of the other arbiter. What it reports is the sum of all, read when it is asked, so no count falls
 * and none is lost, whatever ends a worker or an arbiter. If there is no file, the arbiter's own counts remain.
 */
import type { ScoreboardPage } from "../../ipc/messages.ts";
import { BoardFile } from "../../scoreboard/board-file.ts";
import { LAYOUT_VERSION, MAX_REGIONS, PAGE_BYTES } from "../../scoreboard/layout.ts";
import { DURATION_BUCKETS } from "../../scoreboard/metrics.ts";
import {
  countUnlisted,
  type KeyCache,
  type RequestOnPage,
  readHeader,
  readNote,
  readRequests,
  readSeries,
  readStderr,
  readStderrSince,
  readVitals,
  type StderrPiece,
  type Vitals,
} from "../../scoreboard/page-reader.ts";
import { type PageCounts, pageCounts, RegionReader, readPageInto } from "../../scoreboard/region-reader.ts";
import { RegionWriter } from "../../scoreboard/region-writer.ts";
import type { SeriesKey } from "../../scoreboard/series-key.ts";
import { type Series, SeriesTable } from "../../scoreboard/series-table.ts";
import { exists } from "../../system/process-state.ts";
import { addPage, killedKey, observation, vitalSeries } from "./added-series.ts";

/** The file and a region of it, as an arbiter hands them to its successor. */
export interface BoardHandover {
  readonly descriptor: number;
  readonly layout: number;
  /** The region of the arbiter that hands over, and the one for its successor. */
  readonly from: number;
  readonly region: number;
  /** When the server started, in milliseconds since the epoch. */
  readonly startedAt: number;
}

/** The page of a worker that has ended. */
export interface FinalPage {
  readonly vitals: Vitals | undefined;
  readonly requests: readonly RequestOnPage[];
  /** Requests in flight for which the page had no room. */
  readonly unlisted: number;
  readonly series: readonly Series[];
  readonly stderr: readonly string[];
  /** JSON, not parsed: its last words. */
  readonly note: string | undefined;
}

/** A reading of everything. */
export interface BoardReading {
  /** The sums of workers that have ended, and of the arbiters. */
  readonly ended: readonly Iterable<Series>[];
  /** The pages of this arbiter's workers, by their ids. */
  readonly workers: ReadonlyMap<number, PageCounts>;
  /** The pages of the other arbiter's workers, during an upgrade. */
  readonly others: readonly PageCounts[];
}

interface OwnPage {
  readonly page: number;
  readonly slot: number;
  readonly keys: KeyCache;
}

/** The arbiter that this one has taken over from, or that takes over from this one. */
export type OtherArbiter = "predecessor" | "successor";

/** Workers whose arbiter is gone end within seconds. */
const ORPHANS_TIMEOUT_MS = 30_000;

export class Scoreboard {
  readonly #warn: (message: string) => void;
  readonly #file: BoardFile | undefined;
  readonly #own: RegionWriter | undefined;
  readonly #pages = new Map<number, OwnPage>();
  readonly #totals = new SeriesTable();
  /** The part of the totals that was another arbiter's. */
  readonly #takenOver = new SeriesTable();
  readonly #scratch = Buffer.allocUnsafe(PAGE_BYTES);
  #other: RegionReader | undefined;
  /** The owner of that region. */
  #otherRole: OtherArbiter = "predecessor";
  /** Since when the other arbiter is gone, as in `performance.now()`. */
  #otherGoneAt: number | undefined;
  #isWarned = false;
  /** When the server started, upgrades not counted, in milliseconds since the epoch. */
  readonly startedAt: number;

  /**
   * @param enabled whether there is a file (`--no-metrics`)
   * @param inherited the predecessor's
   * @param warn called with one line if there is no file, or no page
   */
  constructor(enabled: boolean, inherited: BoardHandover | undefined, warn: (message: string) => void) {
    this.#warn = warn;
    this.startedAt = inherited?.startedAt ?? Date.now();
    if (!enabled) return;
    try {
      const isShared = inherited?.layout === LAYOUT_VERSION;
      const file = isShared ? new BoardFile(inherited.descriptor) : BoardFile.create();
      const own = new RegionWriter(file, isShared ? inherited.region % MAX_REGIONS : 0);
      own.begin(process.pid);
      this.#file = file;
      this.#own = own;
      if (isShared) this.#other = new RegionReader(file, inherited.from % MAX_REGIONS);
    } catch (error) {
      warn(`No scoreboard, so requests are not counted: ${(error as Error).message}`);
    }
  }

  /** Whether there is a file in which workers count. */
  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** Gives a worker its page, with the arbiter's descriptor; undefined if there is none. */
  allocate(id: number, slot: number, generation: number): ScoreboardPage | undefined {
    if (this.#file === undefined || this.#own === undefined) return undefined;
    try {
      const page = this.#own.allocate(slot, generation);
      this.#pages.set(id, { page, slot, keys: [] });
      return { descriptor: this.#file.descriptor, offset: this.#own.offsetOf(page) };
    } catch (error) {
      this.#warnOnce(
        `No page of the scoreboard for a worker, so its requests are not counted: ${(error as Error).message}`,
      );
      return undefined;
    }
  }

  /** The counts of a worker; undefined if it has no page. */
  read(id: number): PageCounts | undefined {
    const own = this.#pages.get(id);
    const page = own && this.#load(own);
    return page && pageCounts(page, own.keys);
  }

  /** The requests in flight in a worker, oldest first. */
  requestsOf(id: number): RequestOnPage[] {
    const own = this.#pages.get(id);
    const page = own && this.#load(own);
    return page === undefined ? [] : readRequests(page);
  }

  /** The output of a worker to standard error since it had written `since` bytes; undefined without a page. */
  stderrSince(id: number, since: number): StderrPiece | undefined {
    const own = this.#pages.get(id);
    const page = own && this.#load(own);
    return page && readStderrSince(page, since);
  }

  /** Reads everything, as it is now. */
  readAll(): BoardReading {
    const workers = new Map<number, PageCounts>();
    for (const id of this.#pages.keys()) {
      const page = this.read(id);
      if (page !== undefined) workers.set(id, page);
    }
    const other = this.#other?.read();
    return { ended: [this.#totals, other?.totals ?? []], workers, others: other?.pages ?? [] };
  }

  /** Takes what a worker left and adds it to the totals. Call when its process has ended. */
  finish(id: number): FinalPage | undefined {
    const own = this.#pages.get(id);
    const page = own && this.#load(own);
    this.#pages.delete(id);
    if (own === undefined || page === undefined) return undefined;
    const final = finalPage(page, own.keys);
    const changed = this.#fold(own.slot, final.series, final.vitals, final.requests, final.unlisted);
    this.#commit(changed, own.page);
    return final;
  }

  /** Counts for the arbiter itself: a counter or the values of a histogram. */
  add(key: SeriesKey, values: ArrayLike<number>): void {
    this.#commit([this.#totals.add(key, values)]);
  }

  /** All that has been counted since the server started. */
  total(): SeriesTable {
    const { ended, workers, others } = this.readAll();
    const all = new SeriesTable();
    for (const series of ended) all.addAll(series);
    for (const page of [...workers.values(), ...others]) addPage(all, page);
    return all;
  }

  /** The counts of this arbiter and its workers, without those that it took over from another. */
  own(): SeriesTable {
    const own = new SeriesTable();
    own.addAll(this.#totals);
    for (const id of this.#pages.keys()) own.addAll(this.read(id)?.series ?? []);
    for (const { key, values } of this.#takenOver)
      own.add(
        key,
        values.map((value) => -value),
      );
    return own;
  }

  /** Prepares the region of a successor; undefined if there is no file. */
  handover(): BoardHandover | undefined {
    this.#foldOther();
    if (this.#file === undefined || this.#own === undefined) return undefined;
    try {
      this.#own.begin(process.pid, this.#totals);
    } catch (error) {
      this.#warnOnce(cannotWrite(error as Error));
    }
    const from = this.#own.region;
    const region = (from + 1) % MAX_REGIONS;
    const reader = new RegionReader(this.#file, region);
    reader.clear();
    this.#other = reader;
    this.#otherRole = "successor";
    const { descriptor } = this.#file;
    return { descriptor, layout: LAYOUT_VERSION, from, region, startedAt: this.startedAt };
  }

  /**
   * An arbiter has ended; its workers may live for another moment. The end of a predecessor may be noticed only when the
   * next upgrade has begun, and says nothing of the successor then.
   */
  otherGone(role: OtherArbiter): void {
    if (role !== this.#otherRole) return;
    this.#otherGoneAt ??= performance.now();
    this.review();
  }

  /** Adds the other arbiter's region to the totals once it and its workers have ended. Call now and then. */
  review(): void {
    if (this.#otherGoneAt === undefined || this.#other === undefined) return;
    const isOld = performance.now() - this.#otherGoneAt > ORPHANS_TIMEOUT_MS;
    const { pages } = this.#other.readAbandoned();
    if (isOld || !pages.some(({ header }) => header.pid !== 0 && exists(header.pid))) this.#foldOther();
  }

  #foldOther(): void {
    const other = this.#other;
    this.#other = undefined;
    this.#otherGoneAt = undefined;
    if (other === undefined) return;
    const { totals, pages } = other.readAbandoned();
    const changed = totals.map(({ key, values }) => this.#totals.add(key, values));
    this.#takenOver.addAll(totals);
    for (const page of pages) {
      this.#takenOver.addAll(page.series);
      const requests = other.requestsOf(page.header.pid);
      const unlisted = Math.max(0, page.inFlight - requests.length);
      changed.push(...this.#fold(page.header.slot, page.series, page.vitals, requests, unlisted));
    }
    this.#commit(changed);
    try {
      other.clear();
    } catch {
      // Nobody reads it: a successor of this arbiter gets another region, and clears it.
    }
  }

  #load({ page }: OwnPage): Buffer | undefined {
    if (this.#file === undefined || this.#own === undefined) return undefined;
    try {
      readPageInto(this.#file, this.#own.offsetOf(page), this.#scratch);
      return this.#scratch;
    } catch (error) {
      this.#warnOnce(`Cannot read the scoreboard: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Adds what a worker counted, its requests in flight as killed, and what is cumulative in its vitals. */
  #fold(
    slot: number,
    series: readonly Series[],
    vitals: Vitals | undefined,
    killed: readonly Pick<RequestOnPage, "method" | "startedAt">[],
    unlisted: number,
  ): Series[] {
    const changed = series.map(({ key, values }) => this.#totals.add(key, values));
    const now = Date.now();
    for (const { method, startedAt } of killed)
      changed.push(this.#totals.add(killedKey(method), observation((now - startedAt) / 1000)));
    if (unlisted > 0) {
      // Their duration is not known.
      const values = new Float64Array(DURATION_BUCKETS.length + 2);
      values[0] = unlisted;
      changed.push(this.#totals.add(killedKey("_OTHER"), values));
    }
    if (vitals !== undefined)
      for (const { key, values } of vitalSeries(slot, vitals)) changed.push(this.#totals.add(key, values));
    return [...new Set(changed)];
  }

  #commit(changed: readonly Series[], freed?: number): void {
    try {
      this.#own?.commit(changed, freed);
    } catch (error) {
      this.#warnOnce(cannotWrite(error as Error));
    }
  }

  #warnOnce(message: string): void {
    if (this.#isWarned) return;
    this.#isWarned = true;
    this.#warn(message);
  }
}

function cannotWrite({ message }: Error): string {
  return `Cannot write the totals to the scoreboard, so an upgrade begins them anew: ${message}`;
}

function finalPage(page: Buffer, keys: KeyCache): FinalPage {
  // The worker may have written another header than the arbiter; what it counted is taken all the same.
  if (readHeader(page) === undefined)
    return { vitals: undefined, requests: [], unlisted: 0, series: [], stderr: [], note: undefined };
  return {
    vitals: readVitals(page),
    requests: readRequests(page),
    unlisted: countUnlisted(page),
    series: readSeries(page, keys),
    stderr: readStderr(page),
    note: readNote(page),
  };
}
