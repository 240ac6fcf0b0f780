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

const FRAMES = 40;
const READ_IN_FLIGHT = `globalThis[Symbol.for(${JSON.stringify(IN_FLIGHT)})]?.()`;

const CALL_ABORT = `globalThis[Symbol.for(${JSON.stringify(ABORT)})]?.()`;

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

export class MainThread {
  readonly #session: Session;
  readonly #scripts = new Map<string, string>();

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
  async snapshot(stillWanted: () => boolean): Promise<Snapshot | undefined> {
    const paused = new Promise<Debugger.PausedEventDataType>((resolve) => {
      this.#session.once("Debugger.paused", ({ params }) => resolve(params));
    });
    this.#scripts.clear();
    this.#session.post("Debugger.enable");
    this.#session.post("Debugger.pause");
    const { callFrames } = await paused;
    if (!stillWanted()) {
      this.#release();
      return undefined;
    }
    const frames = callFrames.slice(0, FRAMES);
    const files = new Set(frames.map((frame) => frame.location.scriptId).filter((id) => this.#isFile(id)));
    const asked = Promise.all([
      ...[...files].map((scriptId) => this.#mapOf(scriptId)),
      this.#send("Runtime.evaluate", { expression: READ_IN_FLIGHT, silent: true }),
    ]);
    this.#release();
    const answers = await asked;
    const evaluated = answers.pop() as { result?: { value?: unknown } } | undefined;
    const maps = new Map(answers as [string, ScriptMap][]);
    const inFlight = parseInFlight(evaluated?.result?.value);
    return {
      stack: frames.map((frame) => this.#describe(frame, maps)),
      functions: frames.map((frame) => frame.functionName),
      scripts: frames.map((frame) => this.#scripts.get(frame.location.scriptId) ?? ""),
      ...(inFlight === undefined ? {} : { inFlight }),
    };
  }

  /** Runs the abort callback at the next JavaScript that the main thread runs. */
  async runAbort(): Promise<void> {
    const paused = new Promise<void>((resolve) => this.#session.once("Debugger.paused", () => resolve()));
    this.#session.post("Debugger.enable");
    this.#session.post("Debugger.pause");
    await paused;
    const told = this.#send("Runtime.evaluate", { expression: CALL_ABORT, silent: true });
    this.#release();
    await told;
  }

  disconnect(): void {
    this.#session.disconnect();
  }

  #release(): void {
    this.#session.post("Debugger.resume");
    this.#session.post("Debugger.disable");
  }

  #isFile(scriptId: string): boolean {
    const url = this.#scripts.get(scriptId) ?? "";
    return url.startsWith("file:") || url.startsWith("/");
  }

  async #mapOf(scriptId: string): Promise<[string, ScriptMap]> {
    const answer = (await this.#send("Debugger.getScriptSource", { scriptId })) as
      | { scriptSource?: string }
      | undefined;
    return [scriptId, new ScriptMap(this.#scripts.get(scriptId) ?? "", answer?.scriptSource ?? "")];
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
    return new Promise((resolve) => {
      this.#session.post(method, params, (error, answer) => resolve(error === null ? answer : undefined));
    });
  }
}
