/** Waits without polling for conditions that can only change when something arrives. */
export class Arrivals {
  #waiting: (() => void)[] = [];

  /** Something has arrived: every wait looks at its condition again. */
  notify(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Waits until `holds`; returns false when it does not within `milliseconds`. */
  async until(holds: () => boolean, milliseconds: number): Promise<boolean> {
    const deadline = Date.now() + milliseconds;
    while (!holds()) {
      const left = deadline - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return true;
  }
}
