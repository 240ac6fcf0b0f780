/** The descriptors of this process, which the system bounds. */
import { closeSync, openSync } from "node:fs";

const MEANINGS: Record<string, string> = {
  EMFILE: "this process is out of descriptors: raise ulimit -n, or systemd's LimitNOFILE=",
  ENFILE: "the system is out of descriptors: see the sysctl fs.file-max",
};

/** There are not enough descriptors for what was to be done. */
export class OutOfDescriptors extends Error {}

/** A system's error as `OutOfDescriptors`, if it is one. */
export function asOutOfDescriptors(error: unknown): OutOfDescriptors | undefined {
  const { code = "" } = error as NodeJS.ErrnoException;
  const meaning = MEANINGS[code];
  return meaning === undefined ? undefined : new OutOfDescriptors(`${meaning} (${code})`, { cause: error });
}

/** Closes what is held in reserve; false where nothing is. The table of descriptors is the process's, and so is this. */
let giveUpReserve = (): boolean => false;

/** Has `giveUp` called when `requireDescriptors` finds too few. It closes some, and returns whether it has. */
export function holdInReserve(giveUp: () => boolean): void {
  giveUpReserve = giveUp;
}

/**
 * Makes sure that so many descriptors can be had, for what Node cannot be stopped in half-way: a spawn that runs out
 * of them loses its pipes for good, and a thread of module hooks that cannot start is waited for in vain. What is held
 * in reserve is given up for it.
 * @throws OutOfDescriptors
 */
export function requireDescriptors(count: number): void {
  let shortage = shortageOf(count);
  if (shortage !== undefined && giveUpReserve()) shortage = shortageOf(count);
  if (shortage !== undefined) throw shortage;
}

/** Why so many more descriptors cannot be had beside the reserve; undefined where they can. */
export function shortageOf(count: number): Error | undefined {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync("/dev/null", "r"));
    return undefined;
  } catch (error) {
    return asOutOfDescriptors(error) ?? (error as Error);
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}
