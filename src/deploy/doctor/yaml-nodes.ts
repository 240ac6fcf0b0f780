/** YAML nodes with their lines. The parser is loaded only if there is a manifest. */
import type { Document, LineCounter } from "yaml";
import { ExitCode, FatalError } from "../../errors.ts";
import { type FileLine, formatFileLine } from "./file-line.ts";

export interface YamlNode {
  /** The position of its key. */
  readonly place: FileLine;
  /** The value of a scalar; undefined for other nodes. */
  readonly value: unknown;
  readonly entries: ReadonlyMap<string, YamlNode>;
  readonly items: readonly YamlNode[];
}

/** Returns the node at this path of keys, or undefined. */
export function nodeAt(node: YamlNode | undefined, ...path: readonly string[]): YamlNode | undefined {
  return path.reduce<YamlNode | undefined>((current, name) => current?.entries.get(name), node);
}

/**
 * Parses all documents of a file.
 * @throws FatalError (usage) that names the file and the line.
 */
export async function parseYaml(text: string, file: string): Promise<YamlNode[]> {
  const yaml = await import("yaml");
  const lines = new yaml.LineCounter();
  const documents = yaml.parseAllDocuments(text, { lineCounter: lines });
  return [...documents].map((document) => {
    const [error] = document.errors;
    const placeAt = (offset: number): FileLine => placeOf(file, lines, offset);
    if (error === undefined) return nodeOf(yaml, document, document.contents, placeAt);
    const what = error.message.split("\n")[0]?.replace(/ at line \d+.*$/, "");
    throw new FatalError(`${formatFileLine(placeAt(error.pos[0]))}: ${what}`, ExitCode.usage);
  });
}

function placeOf(file: string, lines: LineCounter, offset: number): FileLine {
  return { file, line: Math.max(1, lines.linePos(offset).line) };
}

function nodeOf(
  yaml: typeof import("yaml"),
  document: Document,
  node: unknown,
  placeAt: (offset: number) => FileLine,
): YamlNode {
  const read = (child: unknown): YamlNode => nodeOf(yaml, document, child, placeAt);
  const placeOfNode = (child: unknown): FileLine =>
    placeAt((child as { range?: [number] } | null)?.range?.[0] ?? 0);
  const place = placeOfNode(node);
  const empty = { place, value: undefined, entries: new Map(), items: [] };
  if (yaml.isAlias(node)) return { ...read(node.resolve(document)), place };
  if (yaml.isMap(node)) {
    const entries = node.items.map(({ key, value }): [string, YamlNode] => {
      return [yaml.isScalar(key) ? String(key.value) : "", { ...read(value), place: placeOfNode(key) }];
    });
    return { ...empty, entries: new Map(entries) };
  }
  if (yaml.isSeq(node)) return { ...empty, items: node.items.map(read) };
  return { ...empty, value: yaml.isScalar(node) ? node.value : undefined };
}
