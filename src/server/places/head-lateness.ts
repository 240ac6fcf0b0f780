/** Bytes per second that a head earns time with when places are scarce: a large one may take longer than a small one. */
export const HEAD_RATE = 4096;

/** The lateness of a head that has been arriving for `age` milliseconds. */
export function headLateness(age: number, bytes: number): number {
  return age - (bytes * 1000) / HEAD_RATE;
}
