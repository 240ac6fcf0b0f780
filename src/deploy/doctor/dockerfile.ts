/** The image that a Dockerfile builds, as far as its environment and its command go. */
import type { Place } from "./place.ts";

/** The last stage, with what it has from the stages it stands on. */
export interface Image {
  /** Where NODE_ENV is said, or else where the stage begins. */
  readonly place: Place;
  readonly nodeEnv: string | undefined;
  /** It starts tsgun, as it looks. */
  readonly isTsgun: boolean;
  /** It stands on Node's own image, which sets no NODE_ENV. */
  readonly onNode: boolean;
}

interface Instruction {
  readonly name: string;
  readonly rest: string;
  readonly line: number;
}

/** The instructions, lines that end with a backslash joined, comments left out. */
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

/** The image of the last stage; undefined where there is no stage. */
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
