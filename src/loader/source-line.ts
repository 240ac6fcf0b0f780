/** Maps lines of compiled code to lines of its source. Lines count from 1, columns from 0. */
import { SourceMap } from "node:module";

/** The text of a line of compiled code; undefined past its end. */
export function generatedLine(source: string, line: number): string | undefined {
  return source.split("\n")[line - 1];
}

/** The line in the user's source; `line` itself without a source map. */
export function originalLine(
  compiled: { readonly map: string | null },
  line: number,
  column: number,
): number {
  if (compiled.map === null) return line;
  const entry = new SourceMap(JSON.parse(compiled.map)).findEntry(line - 1, column);
  return "originalLine" in entry ? entry.originalLine + 1 : line;
}
