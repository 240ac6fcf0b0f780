/**
 * Examines the workers on demand. The arbiter only passes on what a worker's watchdog thread answers, so nothing here waits
 * for an event loop that may be blocked, and every wait has a limit.
 */
import { freemem } from "node:os";
import {
  type Examinable,
  type HeapCost,
  type StackReport,
  TRACE_MINUTES,
  type TraceReport,
} from "../../control/examination.ts";
import { HttpError } from "../../errors.ts";
import { asMainThreadView, asSlowRequests } from "../../ipc/examination.ts";
import { missingForExaminations } from "../../system/node-permissions.ts";
import { mainThreadState } from "../../system/process-state.ts";
import type { ArbiterEvent } from "../event.ts";
import type { Pool } from "../pool/pool.ts";
import type { WorkerProcesses } from "../workers/worker-processes.ts";
import { Inquiry, type Subject, stopped } from "./inquiry.ts";

/** Time for a watchdog thread to answer: it needs no more than half a second, and some on a busy machine. */
const ANSWER_TIMEOUT_MS = 5000;
/** Time for each worker to tell its slow requests: `tsgun ctl trace` does without one that has no CPU time. */
const TRACE_TIMEOUT_MS = 1000;
/** Time to end a profile, during which a native call may have to return. */
const PROFILE_END_TIMEOUT_MS = 40_000;
/** Characters of a profile; five minutes of a large app are a tenth of it. */
const MAX_PROFILE_CHARACTERS = 100_000_000;

/** Heap that V8 writes into a snapshot in a millisecond, on a busy machine: 15 MB a second. */
const SNAPSHOT_BYTES_PER_MS = 15_000;
/** A snapshot is larger than the heap: it names each reference. */
const SNAPSHOT_SIZE = 1.6;
/** V8's own notes of a heap of small objects take so many times its size (Node 20 and 24), until the snapshot is written. */
const SNAPSHOT_MEMORY = 13;
/** How long a worker may stand still for a snapshot: several times what it should take, but not for ever. */
const STANDSTILL_ALLOWANCE = 5;
const MIN_STANDSTILL_MS = 30_000;
const MAX_STANDSTILL_MS = 600_000;
/** The worker is told so many parts at once that it may send more. */
const PARTS_AT_ONCE = 4;
/** Time between two parts of a snapshot that has begun to come. */
const PART_TIMEOUT_MS = 30_000;

export class Examinations implements Examinable {
  readonly #pool: Pool;
  readonly #processes: Pick<WorkerProcesses, "pidOf" | "examinationsOf">;
  readonly #mailbox: { post(event: ArbiterEvent): void };
  /** The long examination that a worker is in, by its id, to continue "worker 123 …". */
  readonly #busy = new Map<number, string>();

  constructor(
    pool: Pool,
    processes: Pick<WorkerProcesses, "pidOf" | "examinationsOf">,
    mailbox: { post(event: ArbiterEvent): void },
  ) {
    this.#pool = pool;
    this.#processes = processes;
    this.#mailbox = mailbox;
  }

  async stack(pid: number, wait: number, gone: AbortSignal): Promise<StackReport> {
    const subject = this.#subject(pid);
    if (this.#busy.get(subject.id) === TAKING_HEAP) throw new HttpError(409, `worker ${pid} ${TAKING_HEAP}`);
    const inquiry = new Inquiry(subject, { kind: "stack" }, gone);
    try {
      const first = await inquiry.expect(ANSWER_TIMEOUT_MS);
      const later = "isFinal" in first && !first.isFinal && wait > 0 ? await inquiry.next(wait) : undefined;
      const finding = later ?? first;
      const view = asMainThreadView("result" in finding ? finding.result : undefined);
      if (view === undefined) throw unintelligible(pid);
      return { pid, slot: subject.slot, ...view };
    } finally {
      inquiry.close();
    }
  }

  async profile(pid: number, seconds: number, gone: AbortSignal): Promise<string> {
    const subject = this.#subject(pid);
    const milliseconds = seconds * 1000;
    const examination = { kind: "profile", milliseconds } as const;
    const inquiry = this.#long(subject, BEING_PROFILED, () => {
      return new Inquiry(subject, examination, gone, MAX_PROFILE_CHARACTERS);
    });
    try {
      await inquiry.expect(ANSWER_TIMEOUT_MS);
      const parts: string[] = [];
      let characters = 0;
      for (let timeout = milliseconds + PROFILE_END_TIMEOUT_MS; ; timeout = PART_TIMEOUT_MS) {
        const finding = await inquiry.expect(timeout);
        if (!("part" in finding)) return parts.join("");
        characters += finding.part.length;
        if (characters > MAX_PROFILE_CHARACTERS)
          throw new HttpError(503, `the profile of worker ${pid} is too large: take fewer seconds`);
        parts.push(finding.part);
        inquiry.more(1);
      }
    } finally {
      inquiry.close();
    }
  }

  async heapCost(pid: number, gone: AbortSignal): Promise<HeapCost> {
    const heapBytes = await this.#heapSize(this.#subject(pid), gone);
    return {
      pid,
      heapBytes,
      fileBytes: Math.round(heapBytes * SNAPSHOT_SIZE),
      memoryBytes: Math.round(heapBytes * SNAPSHOT_MEMORY),
      availableBytes: process.availableMemory?.() ?? freemem(),
      standstill: Math.round(heapBytes / SNAPSHOT_BYTES_PER_MS),
    };
  }

  async heap(pid: number, gone: AbortSignal): Promise<AsyncIterable<string>> {
    const subject = this.#subject(pid);
    const { id } = subject;
    const size = await this.#heapSize(subject, gone);
    const expected = (size / SNAPSHOT_BYTES_PER_MS) * STANDSTILL_ALLOWANCE;
    const limit = Math.round(Math.min(MAX_STANDSTILL_MS, MIN_STANDSTILL_MS + expected));
    const inquiry = this.#long(subject, TAKING_HEAP, () => new Inquiry(subject, { kind: "heap" }, gone));
    this.#mailbox.post({ type: "examined", id, milliseconds: limit });
    try {
      await inquiry.expect(ANSWER_TIMEOUT_MS);
      // The response begins with the first part: until then an error has a status of its own.
      const first = await inquiry.expect(limit);
      if (!("part" in first)) throw unintelligible(pid);
      return this.#content(inquiry, id, first.part);
    } catch (error) {
      inquiry.close();
      throw error;
    }
  }

  async *#content(inquiry: Inquiry, id: number, first: string): AsyncGenerator<string> {
    try {
      yield first;
      for (let taken = 1; ; ) {
        const finding = await inquiry.expect(PART_TIMEOUT_MS);
        if ("part" in finding) {
          yield finding.part;
          taken += 1;
          if (taken % PARTS_AT_ONCE === 0) inquiry.more(PARTS_AT_ONCE);
        } else if (finding.isFinal) return;
        // The worker runs again, while the rest is sent.
        else this.#mailbox.post({ type: "examined", id, milliseconds: 0 });
      }
    } finally {
      inquiry.close();
    }
  }

  async trace(minutes: number, gone: AbortSignal): Promise<TraceReport> {
    const since = Date.now() - minutes * 60_000;
    const requests: TraceReport["requests"][number][] = [];
    const skipped: TraceReport["skipped"][number][] = [];
    const ask = async (pid: number, slot: number): Promise<void> => {
      try {
        const subject = this.#subject(pid);
        const found = await this.#slowRequests(subject, gone);
        requests.push(...found.filter(({ at }) => at >= since).map((request) => ({ pid, slot, ...request })));
      } catch (error) {
        if (!(error instanceof HttpError)) throw error;
        skipped.push({ pid, slot, why: error.message });
      }
    };
    const workers = this.#pool.roster.map(({ id, slot }) => ({ pid: this.#processes.pidOf(id), slot }));
    await Promise.all(workers.map(({ pid, slot }) => (pid === undefined ? undefined : ask(pid, slot))));
    requests.sort((a, b) => b.duration - a.duration);
    return { minutes, requests: requests.slice(0, MAX_TRACED), skipped };
  }

  async #slowRequests(subject: Subject, gone: AbortSignal): Promise<ReturnType<typeof asSlowRequests>> {
    const inquiry = new Inquiry(subject, { kind: "slow-requests" }, gone);
    try {
      const finding = await inquiry.expect(TRACE_TIMEOUT_MS);
      return asSlowRequests("result" in finding ? finding.result : []);
    } finally {
      inquiry.close();
    }
  }

  async #heapSize(subject: Subject, gone: AbortSignal): Promise<number> {
    const inquiry = new Inquiry(subject, { kind: "heap-size" }, gone);
    try {
      const finding = await inquiry.expect(ANSWER_TIMEOUT_MS);
      const size = "result" in finding ? finding.result : undefined;
      if (typeof size !== "number" || !(size >= 0)) throw unintelligible(subject.pid);
      return size;
    } finally {
      inquiry.close();
    }
  }

  /** Begins an examination that takes long, unless the worker is in one. */
  #long({ id, pid }: Subject, doing: string, begin: () => Inquiry): Inquiry {
    const busy = this.#busy.get(id);
    if (busy !== undefined) throw new HttpError(409, `worker ${pid} ${busy}`);
    const inquiry = begin();
    this.#busy.set(id, doing);
    inquiry.onClose = () => this.#busy.delete(id);
    return inquiry;
  }

  /** @throws HttpError if there is no such worker, or it cannot be examined now */
  #subject(pid: number): Subject {
    const worker = this.#pool.roster.find(({ id }) => this.#processes.pidOf(id) === pid);
    if (worker === undefined)
      throw new HttpError(404, `no worker has the pid ${pid}: tsgun ctl workers lists them`);
    const { id, slot } = worker;
    const missing = missingForExaminations();
    if (missing.length > 0)
      throw new HttpError(
        503,
        `worker ${pid} cannot be examined: Node's permission model denies it; start the server with ${missing.join(" and ")}`,
      );
    const channel = this.#processes.examinationsOf(id);
    if (channel === undefined)
      throw new HttpError(409, `worker ${pid} is booting and not watched yet: ask again once it is ready`);
    if (mainThreadState(pid) === "stopped") throw stopped(pid);
    return { id, pid, slot, channel };
  }
}

const BEING_PROFILED = "is being profiled already: ask again when that is done";
const TAKING_HEAP =
  "stands still, because a snapshot of its heap is being taken: ask again when that is done";

/** Requests in a trace. */
const MAX_TRACED = 20 * TRACE_MINUTES.most;

function unintelligible(pid: number): HttpError {
  return new HttpError(503, `worker ${pid} has answered something else than it was asked for`);
}
