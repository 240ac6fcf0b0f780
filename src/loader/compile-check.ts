/**
 * Compiles ES modules without linking or running them, to find the one with the syntax error. `node:vm`
 * needs a flag for that, and V8 reports the line only to the inspector. A separate thread gives us both; it
 * starts only after an app has failed to load.
 */
import { Worker } from "node:worker_threads";

/** The JavaScript of a file, as written or as compiled. */
export interface Compilation {
  readonly file: string;
  readonly source: string;
  /** The source map as JSON; null when `source` is the file as written. */
  readonly map: string | null;
}

export interface FailedCompilation {
  readonly compilation: Compilation;
  /** From 1, in `source`. */
  readonly line: number;
  /** From 0. */
  readonly column: number;
}

const THREAD = `
  const { parentPort, workerData: { sources, message } } = require("node:worker_threads");
  const { SourceTextModule } = require("node:vm");
  const { Session } = require("node:inspector");
  const compile = (source) => {
    try { new SourceTextModule(source); } catch (error) { if (error.message === message) return error; }
  };
  const session = new Session();
  session.connect();
  for (const [index, source] of sources.entries()) {
    globalThis.failure = compile(source);
    if (globalThis.failure === undefined) continue;
    session.post("Runtime.evaluate", { expression: "failure" }, (_, { result }) => {
      session.post("Runtime.getExceptionDetails", { errorObjectId: result.objectId }, (_, { exceptionDetails }) => {
        parentPort.postMessage({ index, line: exceptionDetails.lineNumber + 1, column: exceptionDetails.columnNumber });
      });
    });
    break;
  }
`;

/** Returns the first one that fails to compile with `message`; undefined when none does or this Node cannot tell. */
export function firstThatFails(
  compilations: readonly Compilation[],
  message: string,
): Promise<FailedCompilation | undefined> {
  return new Promise((resolve) => {
    const thread = new Worker(THREAD, {
      eval: true,
      execArgv: ["--experimental-vm-modules", "--no-warnings"],
      workerData: { sources: compilations.map((compilation) => compilation.source), message },
    });
    thread.once("message", ({ index, line, column }: { index: number; line: number; column: number }) => {
      resolve({ compilation: compilations[index] as Compilation, line, column });
    });
    thread.once("error", () => resolve(undefined));
    thread.once("exit", () => resolve(undefined));
  });
}
