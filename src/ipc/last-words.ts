/**
 * The last words of a worker: what its JavaScript did to end the process. The worker writes them as a JSON line to the
 * pipe for reports, synchronously and at once before the end. Not to be trusted: the app can write to the pipe as well.
 */

export interface LastWords {
  /**
   * `exception` and `rejection`: nobody caught it. `exit`: a call of process.exit(); `abort`: of process.abort();
   * `signal`: the process sent a fatal signal to itself.
   */
  readonly kind: "exception" | "rejection" | "exit" | "abort" | "signal";
  /** One line: the error's name and message, or the call. */
  readonly message: string;
  /** Innermost frame first; null if there is none. */
  readonly stack: string | null;
}

const KINDS: readonly unknown[] = ["exception", "rejection", "exit", "abort", "signal"];
const MAX_MESSAGE = 1000;
const MAX_STACK = 8000;

/** Returns the words within their bounds. An error's message can hold a whole document. */
function boundedWords({ kind, message, stack }: LastWords): LastWords {
  return { kind, message: message.slice(0, MAX_MESSAGE), stack: stack?.slice(0, MAX_STACK) ?? null };
}

/** Formats the line, without its end. */
export function formatLastWords(words: LastWords): string {
  return JSON.stringify({ lastWords: boundedWords(words) });
}

/** Parses the note on a worker's page of the scoreboard; returns undefined if it holds no last words. */
export function parseNote(note: string): LastWords | undefined {
  return parseLastWords(`{"lastWords":${note}}`);
}

/** Parses a line; returns undefined if it holds no last words. */
export function parseLastWords(line: string): LastWords | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { lastWords } = (parsed ?? {}) as { lastWords?: Partial<LastWords> };
  if (typeof lastWords !== "object" || lastWords === null) return undefined;
  const { kind, message, stack } = lastWords;
  const isComplete =
    KINDS.includes(kind) && typeof message === "string" && (stack === null || typeof stack === "string");
  return isComplete ? boundedWords(lastWords as LastWords) : undefined;
}
