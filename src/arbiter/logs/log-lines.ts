/**
 * The last lines of the server, for those who ask or follow: what the arbiter logs, and what the workers wrote to standard
 * error, from their pages of the scoreboard. So lines of a worker that is blocked, or was killed, are among them. The pages
 * are read when somebody asks and when a worker ends; often only while somebody follows.
 */
import type { LogReport } from "../../control/stats.ts";
import type { LogLevel } from "../../log/log-level.ts";
import { entryLines } from "../../log/text-format.ts";
import { type StderrPiece, withoutControls } from "../../scoreboard/page-reader.ts";
import { RecentRecords } from "./recent-records.ts";

/** Lines that are kept. */
export const MAX_LINES = 500;
/** Longer lines are cut, so that all of them fit into the buffer of a follower. */
const MAX_LENGTH = 2000;
/** Within this time a line of a worker reaches those who follow, in milliseconds. */
const LOOK_INTERVAL_MS = 200;
/** An unfinished line of this length is one, whatever follows. */
const MAX_UNFINISHED = 8192;

/** A worker that has a page. */
export interface LoggedWorker {
  readonly id: number;
  readonly pid: number;
  readonly slot: number;
}

export interface LogSources {
  workers(): Iterable<LoggedWorker>;
  /** The output of a worker to standard error since it had written `since` bytes; undefined without a page. */
  stderrSince(id: number, since: number): StderrPiece | undefined;
}

/** How far a worker's output has been read. */
interface Progress {
  written: number;
  /** The beginning of a line whose end has not come yet. */
  rest: Buffer;
}

export class LogLines {
  readonly #sources: LogSources;
  readonly #progress = new Map<number, Progress>();
  readonly #lines = new RecentRecords<LogReport>(MAX_LINES);
  #timer: NodeJS.Timeout | undefined;

  constructor(sources: LogSources) {
    this.#sources = sources;
  }

  /** The arbiter has logged an entry. */
  logged(level: LogLevel, message: string, error?: unknown): void {
    const lines = entryLines({ level, message, ...(error !== undefined && { error }) });
    for (const line of lines) this.#add({ source: "arbiter", pid: process.pid, slot: null, level }, line);
  }

  /** Reads the last lines of a worker whose process has ended. Call while it still has its page. */
  ended(worker: LoggedWorker): void {
    this.#look(worker);
    const rest = this.#progress.get(worker.id)?.rest;
    this.#progress.delete(worker.id);
    if (rest !== undefined && rest.length > 0) this.#addText(worker, rest);
  }

  /** The lines that are kept after number `after`, oldest first. */
  since(after = 0): LogReport[] {
    this.#lookAtAll();
    return this.#lines.since(after);
  }

  /** Calls `follower` with each line from now on; returns what ends that. */
  follow(follower: (line: LogReport) => void): () => void {
    const unfollow = this.#lines.follow(follower);
    this.#timer ??= setInterval(() => this.#lookAtAll(), LOOK_INTERVAL_MS).unref();
    return () => {
      unfollow();
      if (this.#lines.isFollowed) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #lookAtAll(): void {
    for (const worker of this.#sources.workers()) this.#look(worker);
  }

  #look(worker: LoggedWorker): void {
    const progress = this.#progress.get(worker.id) ?? { written: 0, rest: Buffer.alloc(0) };
    this.#progress.set(worker.id, progress);
    const piece = this.#sources.stderrSince(worker.id, progress.written);
    if (piece === undefined || piece.written === progress.written) return;
    progress.written = piece.written;
    const bytes = piece.isWhole ? Buffer.concat([progress.rest, piece.bytes]) : withoutFirst(piece.bytes);
    const end = bytes.lastIndexOf(LINE_FEED) + 1;
    const isEndless = bytes.length - end > MAX_UNFINISHED;
    progress.rest = isEndless ? Buffer.alloc(0) : Buffer.from(bytes.subarray(end));
    const whole = isEndless ? bytes : bytes.subarray(0, end);
    if (whole.length > 0) this.#addText(worker, whole);
  }

  #addText({ pid, slot }: LoggedWorker, bytes: Buffer): void {
    const lines = bytes.toString("utf8").split("\n");
    if (lines.at(-1) === "") lines.pop();
    for (const line of lines.slice(-MAX_LINES)) this.#add({ source: "worker", pid, slot, level: null }, line);
  }

  #add(from: Pick<LogReport, "source" | "pid" | "slot" | "level">, line: string): void {
    this.#lines.add({ ...from, line: withoutControls(line).slice(0, MAX_LENGTH) });
  }
}

const LINE_FEED = 10;

/** The text begins within a line. */
function withoutFirst(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf(LINE_FEED) + 1);
}
