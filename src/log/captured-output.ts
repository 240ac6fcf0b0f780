/**
 * What the app writes to its standard output and error goes to the error log instead, line by line (gunicorn:
 * `capture_output`). It is taken where JavaScript writes: at the two streams of the process, on which `console` and
 * worker threads write, too. What goes past them (native code, a child process that inherited them) stays as it is.
 */
import { StringDecoder } from "node:string_decoder";
import type { ErrorLog } from "./error-log.ts";

type Write = typeof process.stdout.write;

/** What has no line feed for so long, in characters, is a line without one. */
const LONGEST_LINE = 64 * 1024;

/** Puts lines together from pieces as they come. */
export class LineJoiner {
  readonly #take: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #partial = "";

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  write(piece: string | Uint8Array): void {
    const text =
      typeof piece === "string" ? this.#decoder.end() + piece : this.#decoder.write(Buffer.from(piece));
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() as string;
    for (const line of lines) this.#take(line);
    if (this.#partial.length >= LONGEST_LINE) this.end();
  }

  /** What is left is a line. */
  end(): void {
    const rest = this.#partial + this.#decoder.end();
    this.#partial = "";
    if (rest !== "") this.#take(rest);
  }
}

/** From now on this process's own output is in the log. */
export function captureOutput(log: ErrorLog): void {
  for (const name of ["stdout", "stderr"] as const) {
    const lines = new LineJoiner((line) => log.captured(line, name));
    process[name].write = capturing(process[name].write.bind(process[name]), lines);
    process.once("exit", () => lines.end());
  }
}

/** As a stream's `write` is to be called; what it would refuse it still refuses. */
function capturing(original: Write, lines: LineJoiner): Write {
  let busy = false;
  return (
    piece: string | Uint8Array,
    second?: BufferEncoding | ((error?: Error | null) => void),
    third?: (error?: Error | null) => void,
  ): boolean => {
    const written = typeof piece === "string" || piece instanceof Uint8Array;
    // What the log itself should ever write there must not come back to it.
    if (busy || !written) return original(piece, second as BufferEncoding, third);
    const callback = typeof second === "function" ? second : third;
    const encoding = typeof second === "string" ? second : "utf8";
    busy = true;
    try {
      const isText = typeof piece !== "string" || /^utf-?8$/i.test(encoding);
      lines.write(isText ? piece : Buffer.from(piece, encoding));
    } finally {
      busy = false;
    }
    if (callback !== undefined) process.nextTick(callback, null);
    return true;
  };
}
