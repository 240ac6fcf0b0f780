/** File descriptors: the first inherited one, and the limits of this process. */
import { closeSync, openSync } from "node:fs";

/** The first descriptor after standard input, output and error: where the ones that a parent hands over begin. */
export const FIRST_INHERITED_FD = 3;

const MEANINGS: Record<string, string> = {
  EMFILE: "this process is out of descriptors: raise ulimit -n, or systemd's LimitNOFILE=",
  ENFILE: "the system is out of descriptors: see the sysctl fs.file-max",
};

/** There are not enough free descriptors for an operation. */
export class OutOfDescriptors extends Error {}

/** Converts EMFILE and ENFILE to `OutOfDescriptors`; returns undefined for any other error. */
export function asOutOfDescriptors(error: unknown): OutOfDescriptors | undefined {
  const { code = "" } = error as NodeJS.ErrnoException;
  const meaning = MEANINGS[code];
  return meaning === undefined ? undefined : new OutOfDescriptors(`${meaning} (${code})`, { cause: error });
}

/**
 * Closes the reserved descriptors; returns false if there are none. Module state, because descriptors belong to the
 * process.
 */
let releaseReserve = (): boolean => false;

/**
 * Registers `release`, which `requireDescriptors` calls when too few are free. It closes some and returns whether it
 * did.
 */
export function holdInReserve(release: () => boolean): void {
  releaseReserve = release;
}

/**
 * Checks that `count` descriptors are free, before operations that Node cannot fail cleanly: a spawn that runs out of
 * them leaks its pipes, and Node waits forever for a module hooks thread that could not start.
 * Closes the reserve to make room if necessary.
 * @throws OutOfDescriptors
 */
export function requireDescriptors(count: number): void {
  let shortage = shortageOf(count);
  if (shortage !== undefined && releaseReserve()) shortage = shortageOf(count);
  if (shortage !== undefined) throw shortage;
}

/** Returns why `count` descriptors cannot be opened without touching the reserve, or undefined if they can. */
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
