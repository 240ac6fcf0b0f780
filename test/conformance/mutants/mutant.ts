/** A small, plausible fault of a server, as a change of its source. */

/** The servers that the suite runs on: `inject`, `toNodeListener` on node:http, and the engine. */
export type SubjectName = "memory" | "node" | "engine";

export interface Mutant {
  /** The fault, as a statement about the server that has it. */
  readonly name: string;
  /** The clause of docs/gateway.md that it breaks. */
  readonly clause: string;
  /** Below `src`. */
  readonly file: string;
  /** Text that occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** The servers on which it shows, the cheapest first. Default: `inject`. */
  readonly on?: readonly SubjectName[];
}

/** The source with the fault. @throws Error if the text does not occur exactly once */
export function mutated({ name, file, find, replace }: Mutant, source: string): string {
  const times = source.split(find).length - 1;
  if (times !== 1)
    throw new Error(
      `the mutant "${name}" no longer applies: its text occurs ${times} times in src/${file}, not once`,
    );
  // As a function: `$` has no meaning in the replacement.
  return source.replace(find, () => replace);
}
