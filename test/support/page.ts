/** Parses a page of the documentation: headings, links and fenced blocks, each with its line. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");

export interface Block {
  readonly language: string;
  readonly text: string;
  /** The line of the opening fence, from 1. */
  readonly line: number;
  /** The name of the file with this content, from the text before ("This is `app.ts`:") or a comment in the first line. */
  readonly file: string | undefined;
}

export interface Link {
  readonly target: string;
  readonly line: number;
}

export interface Page {
  /** Relative to the root. */
  readonly path: string;
  readonly blocks: readonly Block[];
  /** The headings' anchors, as on GitHub. */
  readonly anchors: ReadonlySet<string>;
  readonly links: readonly Link[];
  readonly text: string;
}

const FENCE = /^\s*```(\w*)/;

export function readPage(path: string): Page {
  const text = readFileSync(join(ROOT, path), "utf8");
  const blocks: Block[] = [];
  const anchors = new Set<string>();
  const links: Link[] = [];
  const lines = text.split("\n");
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] as string;
    const language = FENCE.exec(line)?.[1];
    if (language !== undefined) {
      const end = lines.findIndex((candidate, at) => at > index && FENCE.test(candidate));
      if (end === -1) throw new Error(`${path}:${index + 1}: a block is not closed`);
      const content = lines.slice(index + 1, end);
      const file = fileOf(language, paragraphBefore(lines, index), content[0] ?? "");
      blocks.push({ language, text: content.join("\n"), line: index + 1, file });
      index = end;
      continue;
    }
    const heading = /^#+ (.+)$/.exec(line)?.[1];
    if (heading !== undefined) anchors.add(unused(anchorOf(heading), anchors));
    for (const match of withoutCode(line).matchAll(/\]\(([^)\s]+)\)/g)) {
      links.push({ target: match[1] as string, line: index + 1 });
    }
  }
  return { path, blocks, anchors, links, text };
}

function withoutCode(line: string): string {
  return line.replaceAll(/`[^`]*`/g, "``");
}

/** GitHub's rule: lower case, punctuation gone, a hyphen for each space. */
function anchorOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");
}

function unused(anchor: string, taken: ReadonlySet<string>): string {
  if (!taken.has(anchor)) return anchor;
  let number = 1;
  while (taken.has(`${anchor}-${number}`)) number += 1;
  return `${anchor}-${number}`;
}

function paragraphBefore(lines: readonly string[], fence: number): string {
  let end = fence;
  while (end > 0 && (lines[end - 1] as string).trim() === "") end -= 1;
  let start = end;
  while (start > 0 && (lines[start - 1] as string).trim() !== "") start -= 1;
  return lines.slice(start, end).join(" ");
}

function fileOf(language: string, paragraph: string, first: string): string | undefined {
  if (["sh", "console", "text", ""].includes(language)) return undefined;
  const commented = /^(?:\/\/|#) (\S+\.\w+)$/.exec(first)?.[1];
  return commented ?? /`([\w./-]+\.\w+)`[^`]*:$/.exec(paragraph)?.[1];
}
