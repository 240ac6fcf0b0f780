/**
 * Examines the main thread at the arbiter's command: its stack, a CPU profile, a snapshot of its heap. Everything goes
 * through the inspector's session, which interrupts JavaScript that blocks the loop; only a native call has to return
 * first. Parts of an answer are sent as fast as the arbiter takes them.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  type Examination,
  type ExaminationAnswer,
  FIRST_PARTS,
  type MainThreadView,
  PART_CHARACTERS,
  parseWatchdogCommand,
} from "../../ipc/examination.ts";
import { type ChildProcess, nameThreadState, type ThreadState } from "../../ipc/stall-report.ts";
import type { MainThread, Snapshot } from "./main-thread.ts";

/** A main thread that has not answered for so long is in native code. JavaScript answers within milliseconds. */
const NATIVE_AFTER_MS = 500;

/** The same for what takes it longer: V8 lists all functions before it takes samples. */
const BUSY_TIMEOUT_MS = 3000;

/** Time in which a main thread must end a profile. */
const RETURN_TIMEOUT_MS = 30_000;

export interface ExaminerNeeds {
  /** Resolves with the main thread, or the reason why it cannot be examined, to continue "worker 123 …". */
  readonly main: () => Promise<MainThread | string>;
  readonly debuggerOpen: () => boolean;
  readonly blockedForMs: () => number;
  /** The kernel's view of the main thread. */
  readonly look: () => { readonly mainThread: ThreadState; readonly children: readonly ChildProcess[] };
  /** Whether the event loop worked for us, not for the app. */
  readonly isOwn: (snapshot: Snapshot) => boolean;
  /** The main thread must not be taken for stuck, or may again. */
  readonly standStill: (stands: boolean) => void;
  /** The process should not exit yet, or may again. */
  readonly hold: (holds: boolean) => void;
  readonly send: (answer: ExaminationAnswer) => void;
}

/** The reason why an examination cannot be made, to continue "worker 123 …". */
class Refusal extends Error {}

/** An examination that is under way. */
class Running {
  readonly number: number;
  readonly kind: Examination["kind"];
  isCancelled = false;
  #parts = FIRST_PARTS;
  #wake: (() => void) | undefined;
  readonly #ended = new AbortController();

  constructor({ number, kind }: Examination & { readonly number: number }) {
    this.number = number;
    this.kind = kind;
  }

  get isLong(): boolean {
    return this.kind === "profile" || this.kind === "heap";
  }

  cancel(): void {
    this.isCancelled = true;
    this.finish();
  }

  /** Ends its time, and the waits for the reader. */
  finish(): void {
    this.#parts = Number.POSITIVE_INFINITY;
    this.#ended.abort();
    this.#wake?.();
  }

  more(parts: number): void {
    this.#parts += parts;
    this.#wake?.();
  }

  /** Resolves after this time, or when it is to end before. */
  async pass(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#ended.signal }).catch(() => {});
  }

  /** Resolves when the reader takes one more part. */
  async turn(): Promise<void> {
    while (this.#parts === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#parts--;
  }
}

export class Examiner {
  readonly #needs: ExaminerNeeds;
  readonly #running = new Map<number, Running>();

  constructor(needs: ExaminerNeeds) {
    this.#needs = needs;
  }

  /** Carries out one line of the arbiter. */
  command(line: string): void {
    const command = parseWatchdogCommand(line);
    if (command === undefined) return;
    const { number, kind } = command;
    if (kind === "unknown")
      this.#fail(number, `knows no examination "${command.name}": it runs another version`);
    else if (kind === "more") this.#running.get(number)?.more(command.parts);
    else if (kind === "cancel") this.#running.get(number)?.cancel();
    else
      this.#examine(command).catch((error: Error) => {
        this.#fail(number, error instanceof Refusal ? error.message : `cannot be examined: ${error.message}`);
      });
  }

  /** The process exits: ends what takes its time, and resolves when everything is sent. */
  async leave(): Promise<void> {
    // A profile is small enough to be sent at once; the rest of a heap goes as far as there is time.
    for (const running of this.#running.values()) if (running.kind === "profile") running.finish();
    while (this.#isBusy()) await delay(1);
  }

  async #examine(command: Examination & { readonly number: number }): Promise<void> {
    const running = new Running(command);
    if (running.isLong && this.#isBusy())
      throw new Refusal("is being profiled, or its heap is being taken: ask again when that is done");
    this.#running.set(command.number, running);
    this.#hold();
    try {
      await this.#carryOut(command, running);
    } finally {
      this.#running.delete(command.number);
      this.#hold();
    }
  }

  #isBusy(): boolean {
    return [...this.#running.values()].some(({ isLong }) => isLong);
  }

  #hold(): void {
    this.#needs.hold(this.#isBusy());
  }

  async #carryOut(command: Examination, running: Running): Promise<void> {
    const main = await this.#needs.main();
    if (typeof main === "string") throw new Refusal(main);
    if (this.#needs.debuggerOpen())
      throw new Refusal("has a debugger open, and may stand at a breakpoint: close the debugger first");
    switch (command.kind) {
      case "stack":
        await this.#stack(main, running);
        return;
      case "profile":
        await this.#profile(main, running, command.milliseconds);
        return;
      case "heap-size":
        this.#result(running, await this.#inTime(main.heapSize()));
        return;
      case "heap":
        await this.#heap(main, running);
        return;
      case "slow-requests": {
        const value = await this.#inTime(main.slowRequests(), NATIVE_AFTER_MS);
        if (typeof value !== "string") throw new Refusal("keeps no requests, because of --no-metrics");
        this.#result(running, JSON.parse(value));
        return;
      }
    }
  }

  async #stack(main: MainThread, running: Running): Promise<void> {
    const seen = this.#needs.look();
    const look = main.snapshot(() => this.#needs.blockedForMs() > 0);
    const first = await Promise.race([look, delay(NATIVE_AFTER_MS, "native" as const)]);
    if (first === "native") this.#result(running, this.#view(undefined, this.#needs.look()), false);
    this.#result(running, this.#view(first === "native" ? await look : first, seen));
  }

  #view(snapshot: Snapshot | undefined, seen: ReturnType<ExaminerNeeds["look"]>): MainThreadView {
    const blockedForMs = Math.round(this.#needs.blockedForMs());
    if (snapshot === undefined) return { doing: "native", stack: [], inFlight: null, blockedForMs, ...seen };
    // A loop that turns is seen where Node begins to handle an event.
    const isTurning = blockedForMs === 0 && snapshot.scripts.every((script) => script.startsWith("node:"));
    const isIdle = isTurning || this.#needs.isOwn(snapshot);
    return {
      doing: isIdle ? "idle" : "javascript",
      stack: isIdle ? [] : snapshot.stack,
      // Without what the access log needs of them: it has fields of the head.
      inFlight: (snapshot.inFlight ?? []).map(({ method, target, id, age }) => ({ method, target, id, age })),
      blockedForMs: isIdle ? 0 : blockedForMs,
      ...seen,
    };
  }

  async #profile(main: MainThread, running: Running, milliseconds: number): Promise<void> {
    const started = main.startProfile();
    // One that starts only when nobody waits any more ends at once.
    await this.#inTime(started).catch((error: unknown) => {
      started.then(() => main.stopProfile()).catch(() => {});
      throw error;
    });
    this.#result(running, "started", false);
    await running.pass(milliseconds);
    const stopped = main.stopProfile();
    const profile = await this.#inTime(stopped, RETURN_TIMEOUT_MS);
    const text = JSON.stringify(profile);
    for (let at = 0; at < text.length && !running.isCancelled; at += PART_CHARACTERS) {
      await running.turn();
      this.#part(running, text.slice(at, at + PART_CHARACTERS));
    }
    this.#result(running, "done");
  }

  async #heap(main: MainThread, running: Running): Promise<void> {
    // From Node 22 on V8 takes a snapshot only between two callbacks.
    if (this.#needs.blockedForMs() > 0)
      throw new Refusal("has a blocked event loop, which must turn first: tsgun ctl stack shows where it is");
    // Bytes, outside of this thread's own heap, whose limit a large snapshot would exceed.
    const pieces: Buffer[] = [];
    let arrived: (() => void) | undefined;
    let isTaken = false;
    this.#needs.standStill(true);
    const taken = main
      .takeHeap((piece) => {
        if (!running.isCancelled) pieces.push(Buffer.from(piece, "latin1"));
        arrived?.();
      })
      .finally(() => {
        isTaken = true;
        this.#needs.standStill(false);
        this.#result(running, "taken", false);
        arrived?.();
      });
    this.#result(running, "started", false);
    for (;;) {
      const piece = pieces.shift();
      if (piece !== undefined) await this.#pieces(running, piece);
      else if (isTaken) break;
      else
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
    }
    await taken;
    this.#result(running, "done");
  }

  async #pieces(running: Running, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && !running.isCancelled; at += PART_CHARACTERS) {
      await running.turn();
      this.#part(running, bytes.toString("latin1", at, at + PART_CHARACTERS));
    }
  }

  /** Rejects if the main thread has not answered in time, because it is in native code. */
  async #inTime<T>(answer: Promise<T>, milliseconds = BUSY_TIMEOUT_MS): Promise<T> {
    const first = await Promise.race([answer, delay(milliseconds, TOO_LATE)]);
    if (first !== TOO_LATE) return first as T;
    answer.catch(() => {});
    throw new Refusal(this.#inNative());
  }

  #inNative(): string {
    const { mainThread, children } = this.#needs.look();
    const [child] = children;
    const waits = child === undefined ? "" : `; its child process ${child.pid} runs ${child.command}`;
    return `is in native code (${nameThreadState(mainThread)}${waits}), which must return first: ask again`;
  }

  #part(running: Running, part: string): void {
    if (!running.isCancelled) this.#needs.send({ kind: "examined", number: running.number, part });
  }

  #result(running: Running, result: unknown, isFinal = true): void {
    if (!running.isCancelled) this.#needs.send({ kind: "examined", number: running.number, result, isFinal });
  }

  #fail(number: number, failure: string): void {
    this.#needs.send({ kind: "examined", number, failure: failure.slice(0, MAX_FAILURE) });
  }
}

const TOO_LATE = Symbol("too late");
const MAX_FAILURE = 1000;
