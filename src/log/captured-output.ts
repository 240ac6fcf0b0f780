/**
 * Redirects the app's standard output and error to the error log, line by line (gunicorn: `capture_output`). It
 * intercepts the two streams of the process, which `console` and worker threads use as well. Output that bypasses
 * them (native code, child processes that inherited the descriptors) is not captured.
 */
import { StringDecoder } from "node:string_decoder";
import type { ErrorLog } from "./error-log.ts";

type Write = typeof process.stdout.write;

/** In characters; text of this length without a line feed is logged as a line. */
const MAX_LINE_LENGTH = 64 * 1024;

/** Assembles lines from chunks. */
export class LineJoiner {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #partial = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(piece: string | Uint8Array): void {
    const text =
      typeof piece === "string" ? this.#decoder.end() + piece : this.#decoder.write(Buffer.from(piece));
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() as string;
    for (const line of lines) this.#onLine(line);
    if (this.#partial.length >= MAX_LINE_LENGTH) this.end();
  }

  /** Emits the unfinished line. */
  end(): void {
    const rest = this.#partial + this.#decoder.end();
    this.#partial = "";
    if (rest !== "") this.#onLine(rest);
  }
}

/** Sends this process's standard output and error to `log` from now on. */
export function captureOutput(log: ErrorLog): void {
  for (const name of ["stdout", "stderr"] as const) {
    const lines = new LineJoiner((line) => log.captured(line, name));
    process[name].write = capturing(process[name].write.bind(process[name]), lines);
    process.once("exit", () => lines.end());
  }
}

/** A replacement for a stream's `write`; it rejects the same arguments as the original. */
function capturing(original: Write, lines: LineJoiner): Write {
  let isLogging = false;
  return (
    piece: string | Uint8Array,
    second?: BufferEncoding | ((error?: Error | null) => void),
    third?: (error?: Error | null) => void,
  ): boolean => {
    const isWritable = typeof piece === "string" || piece instanceof Uint8Array;
    // If the log itself writes to this stream, do not feed that back to it.
    if (isLogging || !isWritable) return original(piece, second as BufferEncoding, third);
    const callback = typeof second === "function" ? second : third;
    const encoding = typeof second === "string" ? second : "utf8";
    isLogging = true;
    try {
      const isText = typeof piece !== "string" || /^utf-?8$/i.test(encoding);
      lines.write(isText ? piece : Buffer.from(piece, encoding));
    } finally {
      isLogging = false;
    }
    if (callback !== undefined) process.nextTick(callback, null);
    return true;
  };
}
