/**
 * The watchdog's view of the main thread through the inspector. The session connects at boot, since that needs the
 * main thread's cooperation. V8 evaluates an expression also in the middle of JavaScript that blocks the loop, and the
 * stack of an error that it makes there is that of the main thread. Pausing would do, but at a pause V8 collects the
 * variables of all frames, and where a function has just been entered it ends the process (nodejs/node#57606).
 */
import type { Debugger, Profiler, Session } from "node:inspector";
import { setTimeout as delay } from "node:timers/promises";
import type { StalledRequest } from "../../ipc/stall-report.ts";
import { ScriptMap } from "./source-position.ts";
import {
  ABORT,
  calling,
  FRAMES,
  type Frame,
  hottest,
  isBetweenCallbacks,
  LOOK,
  parseLook,
  SLOW_REQUESTS,
} from "./stack-probe.ts";

/** Message to the watchdog thread: disconnect from the main thread's inspector. */
export const DETACH = "detach";

/** Message to the watchdog thread: the main thread has booted. */
export const BOOTED = "booted";

/** Message to the main thread: beat now. */
export const BEAT = "beat";

/** Time to read the sources of scripts, for their source maps. */
const SOURCES_TIMEOUT_MS = 2000;

/** How long, in milliseconds, a stack is looked for by samples, which come every so many microseconds. */
const SAMPLING_MS = 100;
const SAMPLING_INTERVAL_US = 500;
/** V8's default. */
const PROFILE_INTERVAL_US = 1000;

export interface Snapshot {
  /** Empty if the event loop waited for events. */
  readonly stack: string[];
  /** Names of the functions in the stack, innermost first. */
  readonly functions: string[];
  /** URLs of their scripts. */
  readonly scripts: string[];
  /** How often the loop had beaten then; undefined if it does not say. */
  readonly beats: number | undefined;
  readonly inFlight?: StalledRequest[];
}

/** The inspector's answer to a call, as far as it is used here. */
interface Answer {
  readonly result?: { readonly value?: unknown };
  readonly scriptSource?: string;
  readonly usedSize?: number;
  readonly profile?: Profiler.Profile;
}

function isFile(url: string): boolean {
  return url.startsWith("file:") || url.startsWith("/");
}

function describe([name, , line, column]: Frame, map: ScriptMap): string {
  const at = map.original(line - 1, column - 1);
  return `at ${name === "" ? "<anonymous>" : name} (${at.source}:${at.line}:${at.column})`;
}

export class MainThread {
  readonly #session: Session;
  /** Ids of scripts, by their URLs. */
  readonly #scripts = new Map<string, string>();
  #isProfiling = false;
  /** Ends when the debugger is off. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(session: Session) {
    this.#session = session;
    session.on("Debugger.scriptParsed", ({ params }) => this.#scripts.set(params.url, params.scriptId));
  }

  /**
   * Rejects if Node was built without the inspector. Not to be called where the permission model denies it.
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
   * Takes the stack of the main thread and its requests in flight, at once, also in the middle of JavaScript. During a
   * native call it resolves only when the call returns, however late.
   *
   * @param isBlocked whether the loop has not turned for long: called if there is no stack
   */
  async snapshot(isBlocked: () => boolean): Promise<Snapshot> {
    const { result } = await this.#call("Runtime.evaluate", { expression: LOOK, silent: true });
    const { frames: all, beats, inFlight } = parseLook(result?.value);
    // Promises that never let the loop turn are interrupted between their callbacks, where there is no stack.
    const found = isBetweenCallbacks(all) && isBlocked() ? await this.#sample() : all;
    const frames = found.slice(0, FRAMES);
    const maps = await this.#mapsOf(new Set(frames.map(([, url]) => url).filter(isFile)));
    return {
      stack: frames.map((frame) => describe(frame, maps.get(frame[1]) ?? new ScriptMap(frame[1], ""))),
      functions: frames.map(([name]) => name),
      scripts: frames.map(([, url]) => url),
      beats,
      ...(inFlight === undefined ? {} : { inFlight }),
    };
  }

  /** Looks for a stack by samples; returns none while a profile is being taken. */
  async #sample(): Promise<readonly Frame[]> {
    if (this.#isProfiling) return [];
    await this.#startProfiler(SAMPLING_INTERVAL_US);
    await delay(SAMPLING_MS);
    return hottest(await this.stopProfile()) ?? (await this.#inTurn(() => this.#pausedStack()));
  }

  /** Pauses where no function is entered: the top level of a module, after an `await`. */
  async #pausedStack(): Promise<Frame[]> {
    const paused = new Promise<Debugger.PausedEventDataType>((resolve) => {
      this.#session.once("Debugger.paused", ({ params }) => resolve(params));
    });
    this.#scripts.clear();
    this.#session.post("Debugger.enable");
    this.#session.post("Debugger.pause");
    const { callFrames } = await paused;
    this.#session.post("Debugger.resume");
    this.#session.post("Debugger.disable");
    const urls = new Map([...this.#scripts].map(([url, id]) => [id, url]));
    return callFrames.map(({ functionName, location: { scriptId, lineNumber, columnNumber = 0 } }) => {
      return [functionName, urls.get(scriptId) ?? "", lineNumber + 1, columnNumber + 1];
    });
  }

  /** Runs `act` when no other call has the debugger switched on. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Runs the abort callback, in the middle of what blocks the main thread. */
  async runAbort(): Promise<void> {
    await this.#send("Runtime.evaluate", { expression: calling(ABORT), silent: true });
  }

  /** Resolves when V8 takes samples, a thousand in a second. During a native call that is when it returns. */
  startProfile(): Promise<void> {
    return this.#startProfiler(PROFILE_INTERVAL_US);
  }

  async #startProfiler(interval: number): Promise<void> {
    this.#isProfiling = true;
    await this.#call("Profiler.enable");
    await this.#call("Profiler.setSamplingInterval", { interval });
    await this.#call("Profiler.start");
  }

  /** Returns the profile as DevTools reads it. */
  async stopProfile(): Promise<Profiler.Profile> {
    const { profile } = await this.#call("Profiler.stop");
    await this.#call("Profiler.disable");
    this.#isProfiling = false;
    return profile ?? { nodes: [], startTime: 0, endTime: 0 };
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
    const { result } = await this.#call("Runtime.evaluate", {
      expression: calling(SLOW_REQUESTS),
      silent: true,
    });
    return result?.value;
  }

  disconnect(): void {
    this.#session.disconnect();
  }

  /**
   * Reads the source maps of scripts by their URLs; without those that do not come in time, since the main thread may be in a
   * native call by now.
   */
  async #mapsOf(urls: ReadonlySet<string>): Promise<ReadonlyMap<string, ScriptMap>> {
    const maps = new Map<string, ScriptMap>();
    if (urls.size === 0) return maps;
    const read = this.#inTurn(() => this.#readMaps(urls, maps));
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, SOURCES_TIMEOUT_MS);
    });
    await Promise.race([read, tooLate]);
    clearTimeout(timer);
    return maps;
  }

  /** The debugger is on only for this, and not to stop at a `debugger` statement of the app. */
  async #readMaps(urls: ReadonlySet<string>, maps: Map<string, ScriptMap>): Promise<void> {
    this.#scripts.clear();
    const enabled = this.#send("Debugger.enable", {});
    this.#session.post("Debugger.setSkipAllPauses", { skip: true });
    await enabled;
    const reading = [...urls].map(async (url) => {
      const answer = (await this.#send("Debugger.getScriptSource", {
        scriptId: this.#scripts.get(url),
      })) as Answer | undefined;
      maps.set(url, new ScriptMap(url, answer?.scriptSource ?? ""));
    });
    this.#session.post("Debugger.disable");
    await Promise.all(reading);
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
