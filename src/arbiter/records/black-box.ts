/**
 * Writes a record of every worker's end, and lists them for the control interface. Writing is asynchronous and one after
 * the other; the server waits for it before it exits. The modules are loaded with the first record.
 */
import { join, resolve } from "node:path";
import type { Recorded } from "../../control/death-routes.ts";
import type { DeathReport, DeathStory } from "../../control/stats.ts";
import { HttpError } from "../../errors.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { denialOf } from "../../native/permission-model.ts";
import type { DeathRecord } from "../../records/death-record.ts";
import type { RecordEntry, RecordFolder } from "../../records/record-folder.ts";
import type { Ending } from "../event.ts";
import { settledWithin } from "../settled-within.ts";
import type { Death } from "./death-facts.ts";
import { type HeapReport, openReportFile, takeHeapReport } from "./heap-report.ts";

export interface BlackBoxDependencies {
  /** The setting `recordDir`. */
  readonly folder: string | false | undefined;
  readonly log: Pick<ErrorLog, "warning">;
  /** The user of the workers; undefined for this process's own. */
  readonly reportOwner: number | undefined;
  server(generation: number): DeathRecord["server"];
}

/** The most records in a list. */
const MAX_LISTED = 50;

/** Time for the last records to be written before the server exits. */
const LAST_RECORDS_TIMEOUT_MS = 2000;

export class BlackBox implements Recorded {
  readonly #dependencies: BlackBoxDependencies;
  /** Undefined for the default; false if no records are kept. The working folder may be replaced later. */
  readonly #given: string | false | undefined;
  /** The words that lead `tsgun why` to the folder; empty where it looks by itself. */
  readonly #where: string;
  /** The file that all workers inherit for Node's reports on an exhausted heap; undefined for none. */
  readonly reportFile: number | undefined;
  #folder: RecordFolder | undefined;
  #writing: Promise<void> = Promise.resolve();
  #hasWarned = false;
  /** The last list, by names of records: a file does not change, and a dashboard asks every two seconds. */
  #reports: ReadonlyMap<string, DeathReport> = new Map();

  constructor(dependencies: BlackBoxDependencies) {
    this.#dependencies = dependencies;
    const { folder } = dependencies;
    const { STATE_DIRECTORY = "" } = process.env;
    const unit = STATE_DIRECTORY.split(":")[0] as string;
    const given = folder || (unit !== "" && join(unit, "records"));
    this.#where = folder === false || given === false ? "" : ` --record-dir ${resolve(given)}`;
    this.#given = folder && resolve(folder);
    this.reportFile = openReportFile(dependencies.reportOwner);
  }

  /** How to ask for the record of a worker that has just died; undefined if none is kept, or the last could not be written. */
  hint(pid: number): string | undefined {
    return this.#given === false || this.#hasWarned ? undefined : `tsgun why ${pid}${this.#where}`;
  }

  /** Node's report on an exhausted heap, which it writes before it ends the process by a signal. */
  takeHeapReport(pid: number, { signal }: Ending): HeapReport | undefined {
    if (this.reportFile === undefined || signal === null || signal === "SIGKILL") return undefined;
    return takeHeapReport(this.reportFile, pid);
  }

  /**
   * Has the record of a worker's end written.
   *
   * @param now milliseconds of the clock of the roster's times
   */
  record(death: Death, now: number): void {
    if (this.#given === false || death.pid === undefined) return;
    const around = { server: this.#dependencies.server(death.record.generation), now, time: Date.now() };
    this.#writing = this.#writing.then(async () => {
      try {
        const { deathRecord } = await import("./death-facts.ts");
        const { memoryLimit } = await import("../../system/memory-limit.ts");
        const groupLimit = death.end.isProblem ? (memoryLimit() ?? null) : null;
        const folder = await this.#open();
        await folder.write(deathRecord(death, { ...around, groupLimit }));
        this.#hasWarned = false;
      } catch (error) {
        this.#warn(error as Error);
      }
    });
  }

  async #path(): Promise<string> {
    const { defaultRecordFolder } = await import("../../records/record-path.ts");
    return this.#given || defaultRecordFolder();
  }

  async #open(): Promise<RecordFolder> {
    if (this.#folder !== undefined) return this.#folder;
    const { RecordFolder } = await import("../../records/record-folder.ts");
    const folder = RecordFolder.open(await this.#path());
    await folder.removeDrafts();
    this.#folder = folder;
    return folder;
  }

  #warn(error: Error): void {
    const place = this.#folder?.path;
    // The folder may have been removed: the next record makes it again.
    this.#folder = undefined;
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const which = place === undefined ? "" : ` to ${place}`;
    this.#dependencies.log.warning(
      `No record of a worker's end could be written${which}, so tsgun why knows nothing of it: ${denialOf(error) ?? error.message}`,
    );
  }

  /** The last records of this server, the newest first. Rejects with an HttpError 404 if none are kept. */
  async list(): Promise<readonly DeathReport[]> {
    const { idOf, readReports } = await import("../../records/death-report.ts");
    const entries = (await this.#entries()).slice(0, MAX_LISTED);
    const known = this.#reports;
    const added = await readReports(entries.filter((entry) => !known.has(idOf(entry))));
    const all = new Map([...known.values(), ...added].map((report) => [report.id, report]));
    const listed = entries.flatMap((entry) => all.get(idOf(entry)) ?? []);
    this.#reports = new Map(listed.map((report) => [report.id, report]));
    return listed;
  }

  /** One record of this server, by its name, or the newest of a pid. Rejects with an HttpError 404 if none are kept. */
  async find(id: string): Promise<DeathStory | undefined> {
    const { idOf } = await import("../../records/death-report.ts");
    const { readRecord } = await import("../../records/record-folder.ts");
    const { tellDeath } = await import("../../records/story.ts");
    const entry = (await this.#entries()).find((each) => idOf(each) === id || String(each.pid) === id);
    const record = entry && (await readRecord(entry));
    return record && { story: tellDeath(record).join("\n"), record };
  }

  async #entries(): Promise<readonly RecordEntry[]> {
    if (this.#given === false)
      throw new HttpError(
        404,
        "no records of workers that have ended are kept: the server runs with --no-record-dir",
      );
    const { listRecords, serverKey } = await import("../../records/record-folder.ts");
    await this.#writing;
    const key = serverKey(this.#dependencies.server(0).name);
    return listRecords(await this.#path()).filter(({ server }) => server === key);
  }

  /** Resolves when everything is written, or after two seconds: a disk that hangs must not keep the server. */
  async close(): Promise<void> {
    await settledWithin(this.#writing, LAST_RECORDS_TIMEOUT_MS);
  }
}
