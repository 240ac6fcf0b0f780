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

/**
 * Makes sure that so many descriptors can be had, for what Node cannot be stopped in half-way: a spawn that runs out
 * of them loses its pipes for good, and a thread of module hooks that cannot start is waited for in vain.
 * @throws OutOfDescriptors
 */
export function requireDescriptors(count: number): void {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync("/dev/null", "r"));
  } catch (error) {
    throw asOutOfDescriptors(error) ?? error;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}
