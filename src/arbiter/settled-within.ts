/** Waits for a promise, but not for ever: a disk or a kernel that hangs must hold up nobody. */

/** Resolves when the promise has, or after so many milliseconds. Rejects if the promise rejects before. */
export async function settledWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
