/**
 * Maps a position in running code to its source by the script's source map. If the map is missing or broken, the
 * result is the unmapped position: a wrong file is worse than the compiled file, and a report must never fail over
 * a source map.
 */
import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

export interface Position {
  /** A path for a file, else the script's URL as V8 names it. */
  readonly source: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

const MAP_COMMENT = /\/\/[#@] ?sourceMappingURL=(\S+)\s*$/;
const DATA_URL = /^data:application\/json(?:;charset=[^;,]+)?(;base64)?,(.*)$/s;

function asPath(url: string): string {
  try {
    return url.startsWith("file:") ? fileURLToPath(url) : url;
  } catch {
    return url;
  }
}

function asUrl(source: string): string {
  return source.startsWith("/") ? pathToFileURL(source).href : source;
}

function payloadOf(scriptUrl: string, script: string): SourceMapPayload | undefined {
  // Search only the end: a bundle has megabytes before the comment.
  const reference = MAP_COMMENT.exec(script.slice(script.lastIndexOf("sourceMappingURL=") - 4))?.[1];
  if (reference === undefined) return undefined;
  const data = DATA_URL.exec(reference);
  const text =
    data === null
      ? readFileSync(new URL(reference, asUrl(scriptUrl)), "utf8")
      : data[1] === undefined
        ? decodeURIComponent(data[2] as string)
        : Buffer.from(data[2] as string, "base64").toString("utf8");
  return JSON.parse(text) as SourceMapPayload;
}

/** The source map that `script`, loaded from `scriptUrl`, refers to, inline or in a file beside it. */
export class ScriptMap {
  readonly #url: string;
  readonly #map: SourceMap | undefined;
  readonly #root: string;

  constructor(scriptUrl: string, script: string) {
    this.#url = scriptUrl;
    let payload: SourceMapPayload | undefined;
    try {
      payload = payloadOf(scriptUrl, script);
      this.#map = payload === undefined ? undefined : new SourceMap(payload);
    } catch {
      this.#map = undefined;
    }
    this.#root = payload?.sourceRoot ?? "";
  }

  /** `line` and `column` count from 0, as V8's inspector does. */
  original(line: number, column: number): Position {
    const entry = this.#map?.findEntry(line, column);
    if (entry === undefined || !("originalSource" in entry) || entry.originalSource === undefined) {
      return { source: asPath(this.#url), line: line + 1, column: column + 1 };
    }
    return {
      source: this.#resolve(entry.originalSource),
      line: entry.originalLine + 1,
      column: entry.originalColumn + 1,
    };
  }

  #resolve(source: string): string {
    const root = this.#root === "" || this.#root.endsWith("/") ? this.#root : `${this.#root}/`;
    try {
      return asPath(new URL(`${root}${source}`, asUrl(this.#url)).href);
    } catch {
      return source;
    }
  }
}
