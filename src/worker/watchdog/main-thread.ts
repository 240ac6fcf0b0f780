/**
 * The watchdog's view of the main thread through the inspector. The session connects at boot, since that needs the
 * main thread's cooperation. The debugger is enabled only while taking a stack, so that a turning loop pays nothing
 * and a `debugger` statement in the app has no effect. The resume is queued together with the queries, so it happens
 * whether they succeed or not.
 */
import type { Debugger, Session } from "node:inspector";
import type { StalledRequest } from "../../ipc/stall-report.ts";
import { ScriptMap } from "./source-position.ts";

/** Name of the global function that returns the requests in flight as JSON. Evaluated in a paused main thread. */
export const IN_FLIGHT = "tsgun.inFlight";

/** Name of the global function to call before a stuck worker is killed. */
export const ABORT = "tsgun.abort";

/** Message to the watchdog thread: disconnect from the main thread's inspector. */
export const DETACH = "detach";

/** Message to the watchdog thread: the main thread has booted. */
export const BOOTED = "booted";

/** Message to the main thread: beat now. */
export const BEAT = "beat";

/** Name of the global function that returns the slowest requests of the last minutes as JSON. */
export const SLOW_REQUESTS = "tsgun.slowRequests";

const FRAMES = 40;
const READ_IN_FLIGHT = `globalThis[Symbol.for(${JSON.stringify(IN_FLIGHT)})]?.()`;

const CALL_ABORT = `globalThis[Symbol.for(${JSON.stringify(ABORT)})]?.()`;
const READ_SLOW_REQUESTS = `globalThis[Symbol.for(${JSON.stringify(SLOW_REQUESTS)})]?.()`;

const PROBE_URL = "tsgun:probe";
const PROBE = `0\n//# sourceURL=${PROBE_URL}`;

export interface Snapshot {
  readonly stack: string[];
  /** Names of the functions in the stack, innermost first. */
  readonly functions: string[];
  /** URLs of their scripts. */
  readonly scripts: string[];
  readonly inFlight?: StalledRequest[];
}

function parseInFlight(value: unknown): StalledRequest[] | undefined {
  if (typeof value !== "string") return undefined;
  const requests: unknown = JSON.parse(value);
  return Array.isArray(requests) ? (requests as StalledRequest[]) : undefined;
}

/** What the inspector answers to a call, as far as it is used here. */
interface Answer {
  readonly result?: { readonly value?: unknown };
  readonly scriptSource?: string;
  readonly usedSize?: number;
  readonly profile?: object;
}

export class MainThread {
  readonly #session: Session;
  readonly #scripts = new Map<string, string>();
  /** Ends when no pause is under way: each reads the scripts that its own `Debugger.enable` has named. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(session: Session) {
    this.#session = session;
    session.on("Debugger.scriptParsed", ({ params }) => this.#scripts.set(params.scriptId, params.url));
  }

  /**
   * Rejects if Node was built without the inspector or the permission model forbids it.
   *
   * @param mayConnect called just before; if it returns false there is no connection
   */
  static async connect(mayConnect: () => boolean): Promise<MainThread | undefined> {
    const { Session } = await import("node:inspector");
    if (!mayConnect()) return undefined;
    const session = new Session();
    session.connectToMainThread();
    const thread = new MainThread(session);
    // A response means that the main thread has accepted the session.
    await thread.#send("Runtime.evaluate", { expression: "0" });
    return thread;
  }

  /**
   * Pauses the main thread at the next JavaScript it runs, reads its stack and the requests in flight, and
   * resumes it. During a native call it pauses only when the call returns, however late. `stillWanted` is
   * called while the thread is paused and cannot change; if it returns false, there is no snapshot.
   */
  snapshot(stillWanted: () => boolean): Promise<Snapshot | undefined> {
    return this.#inTurn(async () => {
      const frames = await this.#pause();
      if (stillWanted()) return await this.#read(frames);
      this.#release();
      return undefined;
    });
  }

  /**
   * Like `snapshot`, but a loop that waits for events pauses at once, in a script of ours, and has an empty stack.
   */
  look(stillWanted: () => boolean): Promise<Snapshot | undefined> {
    return this.#inTurn(async () => {
      if (!stillWanted()) return undefined;
      const paused = this.#pause();
      const probed = this.#send("Runtime.evaluate", { expression: PROBE, silent: true });
      const frames = (await paused).filter(({ location }) => this.#urlOf(location.scriptId) !== PROBE_URL);
      if (!stillWanted()) {
        this.#release();
        return undefined;
      }
      const snapshot = await this.#read(frames);
      await probed;
      return snapshot;
    });
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Resolves with the whole stack once the main thread has paused. */
  async #pause(): Promise<readonly Debugger.CallFrame[]> {
    const paused = new Promise<Debugger.PausedEventDataType>((resolve) => {
      this.#session.once("Debugger.paused", ({ params }) => resolve(params));
    });
    this.#scripts.clear();
    this.#session.post("Debugger.enable");
    this.#session.post("Debugger.pause");
    return (await paused).callFrames;
  }

  /** Reads what a snapshot has of the paused main thread, and resumes it. */
  async #read(callFrames: readonly Debugger.CallFrame[]): Promise<Snapshot> {
    const frames = callFrames.slice(0, FRAMES);
    const files = new Set(frames.map((frame) => frame.location.scriptId).filter((id) => this.#isFile(id)));
    const asked = Promise.all([
      ...[...files].map((scriptId) => this.#mapOf(scriptId)),
      this.#send("Runtime.evaluate", { expression: READ_IN_FLIGHT, silent: true }),
    ]);
    this.#release();
    const answers = await asked;
    const evaluated = answers.pop() as Answer | undefined;
    const maps = new Map(answers as [string, ScriptMap][]);
    const inFlight = parseInFlight(evaluated?.result?.value);
    return {
      stack: frames.map((frame) => this.#describe(frame, maps)),
      functions: frames.map((frame) => frame.functionName),
      scripts: frames.map((frame) => this.#urlOf(frame.location.scriptId)),
      ...(inFlight === undefined ? {} : { inFlight }),
    };
  }

  /** Runs the abort callback at the next JavaScript that the main thread runs. */
  runAbort(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#pause();
      const told = this.#send("Runtime.evaluate", { expression: CALL_ABORT, silent: true });
      this.#release();
      await told;
    });
  }

  /** Resolves when V8 takes samples, a thousand in a second. During a native call that is when it returns. */
  async startProfile(): Promise<void> {
    await this.#call("Profiler.enable");
    await this.#call("Profiler.start");
  }

  /** Returns the profile as DevTools reads it. */
  async stopProfile(): Promise<object> {
    const { profile = {} } = await this.#call("Profiler.stop");
    await this.#call("Profiler.disable");
    return profile;
  }

  /** The bytes that the heap's objects take. */
  async heapSize(): Promise<number> {
    return (await this.#call("Runtime.getHeapUsage")).usedSize ?? 0;
  }

  /**
   * Takes a snapshot of the heap, during which the main thread stands still. V8 writes it as fast as it can, without waiting
   * for anybody who reads.
   *
   * @param write receives the snapshot in pieces: JSON, in ASCII
   */
  async takeHeap(write: (piece: string) => void): Promise<void> {
    const receive = ({ params }: { params: { chunk: string } }): void => write(params.chunk);
    this.#session.on("HeapProfiler.addHeapSnapshotChunk", receive);
    try {
      await this.#call("HeapProfiler.enable");
      await this.#call("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
      await this.#call("HeapProfiler.disable");
    } finally {
      this.#session.off("HeapProfiler.addHeapSnapshotChunk", receive);
    }
  }

  /** The slowest requests of the last minutes, as JSON; undefined if it keeps none. */
  async slowRequests(): Promise<unknown> {
    const { result } = await this.#call("Runtime.evaluate", { expression: READ_SLOW_REQUESTS, silent: true });
    return result?.value;
  }

  disconnect(): void {
    this.#session.disconnect();
  }

  #release(): void {
    this.#session.post("Debugger.resume");
    this.#session.post("Debugger.disable");
  }

  #urlOf(scriptId: string): string {
    return this.#scripts.get(scriptId) ?? "";
  }

  #isFile(scriptId: string): boolean {
    const url = this.#urlOf(scriptId);
    return url.startsWith("file:") || url.startsWith("/");
  }

  async #mapOf(scriptId: string): Promise<[string, ScriptMap]> {
    const answer = (await this.#send("Debugger.getScriptSource", { scriptId })) as Answer | undefined;
    return [scriptId, new ScriptMap(this.#urlOf(scriptId), answer?.scriptSource ?? "")];
  }

  #describe(frame: Debugger.CallFrame, maps: Map<string, ScriptMap>): string {
    const { scriptId, lineNumber, columnNumber = 0 } = frame.location;
    const map = maps.get(scriptId) ?? new ScriptMap(this.#scripts.get(scriptId) ?? "<unknown>", "");
    const { source, line, column } = map.original(lineNumber, columnNumber);
    const name = frame.functionName === "" ? "<anonymous>" : frame.functionName;
    return `at ${name} (${source}:${line}:${column})`;
  }

  /** Sends an inspector command. Resolves with `undefined` on failure: an incomplete report is better than none. */
  #send(method: string, params: object): Promise<unknown> {
    return this.#call(method, params).catch(() => undefined);
  }

  /** Sends an inspector command; rejects if it fails. */
  #call(method: string, params: object = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, params, (error, answer) => {
        if (error === null) resolve((answer ?? {}) as Answer);
        else reject(new Error(error.message));
      });
    });
  }
}
