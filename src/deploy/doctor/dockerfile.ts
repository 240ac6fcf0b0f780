/** Reads NODE_ENV and the command from a Dockerfile. */
import type { FileLine } from "./file-line.ts";

/** The last stage, including what it inherits from earlier stages. */
export interface Image {
  /** Where NODE_ENV is set, or else where the stage begins. */
  readonly place: FileLine;
  readonly nodeEnv: string | undefined;
  /** The image appears to start tsgun. */
  readonly isTsgun: boolean;
  /** Based on the official Node image, which does not set NODE_ENV. */
  readonly onNode: boolean;
}

interface Instruction {
  readonly name: string;
  readonly rest: string;
  readonly line: number;
}

/** Splits the file into instructions: joins continued lines and drops comments. */
function instructions(text: string): Instruction[] {
  const found: Instruction[] = [];
  let joined = "";
  let began = 0;
  for (const [index, line] of text.split("\n").entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    if (joined === "") began = index + 1;
    joined += line.replace(/\\\s*$/, " ");
    if (/\\\s*$/.test(line)) continue;
    const [, name = "", rest = ""] = /^\s*(\w+)\s*(.*)$/s.exec(joined) ?? [];
    found.push({ name: name.toUpperCase(), rest, line: began });
    joined = "";
  }
  return found;
}

/** `ENV A=1 NODE_ENV="production"`, and the older `ENV NODE_ENV production`. */
function nodeEnvOf(rest: string): string | undefined {
  const [, paired, spaced] = /(?:^|\s)NODE_ENV(?:=["']?([^\s"']*)|\s+(\S+))/.exec(rest) ?? [];
  return paired ?? spaced;
}

/** Returns the image of the last stage, or undefined for a file without stages. */
export function parseDockerfile(text: string, file: string): Image | undefined {
  const stages = new Map<string, Image>();
  let stage: Image | undefined;
  let stageName = "";
  for (const { name, rest, line } of instructions(text)) {
    const place = { file, line };
    if (name === "FROM") {
      const [, base = "", alias = ""] = /^(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?/i.exec(rest) ?? [];
      const onNode = /(?:^|\/)node(?:[:@]|$)/.test(base);
      const nothing: Image = { place, nodeEnv: undefined, isTsgun: false, onNode };
      const before = stages.get(base);
      stage =
        before === undefined || before.nodeEnv === undefined ? { ...nothing, ...before, place } : before;
      stageName = alias;
    } else if (stage !== undefined) {
      if (name === "ENV") {
        const nodeEnv = nodeEnvOf(rest);
        if (nodeEnv !== undefined) stage = { ...stage, nodeEnv, place };
      } else if (name === "ENTRYPOINT" || name === "CMD") {
        stage = { ...stage, isTsgun: stage.isTsgun || /\btsgun\b/.test(rest) };
      }
    }
    if (stage !== undefined && stageName !== "") stages.set(stageName, stage);
  }
  return stage;
}
