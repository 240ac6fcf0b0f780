/** Parses unit files (systemd.syntax(7)): sections, repeated keys, continued lines. Empty values are kept: they reset a key. */
import { ExitCode, FatalError } from "../../errors.ts";
import { type FileLine, formatFileLine } from "./file-line.ts";

export interface UnitSetting {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly place: FileLine;
}

/** @throws FatalError (usage) that names the file and the line. */
export function parseUnit(text: string, file: string): UnitSetting[] {
  const assignments: UnitSetting[] = [];
  let section = "";
  for (const { text: line, place } of logicalLines(text, file)) {
    const heading = /^\[(.+)\]$/.exec(line)?.[1];
    if (heading !== undefined) {
      section = heading;
      continue;
    }
    const [, key, value] = /^([^=]+?)\s*=\s*(.*)$/s.exec(line) ?? [];
    const wrong =
      key === undefined
        ? `"${line}" is not Key=value`
        : section === ""
          ? `${key} comes before the first [Section]`
          : undefined;
    if (wrong !== undefined) throw new FatalError(`${formatFileLine(place)}: ${wrong}`, ExitCode.usage);
    assignments.push({ section, key: key as string, value: (value as string).trim(), place });
  }
  return assignments;
}

/** Drops comments and joins lines that end with a backslash, also across a comment. */
function logicalLines(text: string, file: string): { readonly text: string; readonly place: FileLine }[] {
  const lines: { text: string; place: FileLine }[] = [];
  let begun: { text: string; place: FileLine } | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (/^[#;]/.test(line) || (line === "" && begun === undefined)) continue;
    const place = { file, line: index + 1 };
    const current: { text: string; place: FileLine } =
      begun === undefined ? { text: line, place } : { ...begun, text: `${begun.text} ${line}` };
    begun = current.text.endsWith("\\")
      ? { ...current, text: current.text.slice(0, -1).trimEnd() }
      : undefined;
    if (begun === undefined) lines.push(current);
  }
  return begun === undefined ? lines : [...lines, begun];
}
