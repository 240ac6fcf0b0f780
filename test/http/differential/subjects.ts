/** What generated connections can be checked against. */
import { Random } from "../../support/random.ts";
import type { GeneratedCase } from "./case.ts";
import { checkEngine, endingOf } from "./engine-check.ts";

export interface Subject {
  readonly name: string;
  /** How many cases may be checked at the same time. */
  readonly lanes: number;
  /** Returns how the connection ended, in a word; throws if the readings differ. */
  check(item: GeneratedCase): string | Promise<string>;
  close(): void | Promise<void>;
}

const engine: Subject = {
  name: "engine",
  lanes: 1,
  check: ({ text, limits, seed }) =>
    endingOf(checkEngine(Buffer.from(text, "latin1"), limits, new Random(seed))),
  close: () => {},
};

/** By name, each opened only when asked for. */
export const SUBJECTS: Readonly<Record<string, () => Subject | Promise<Subject>>> = {
  engine: () => engine,
};

export async function openSubject(name: string): Promise<Subject> {
  const open = SUBJECTS[name];
  if (open === undefined) throw new Error(`no subject ${name}`);
  return await open();
}
