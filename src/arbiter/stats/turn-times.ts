/** How long the arbiter's loop took for its turns of the last seconds: so long a signal or a beat waited at most. */

const WINDOW_MS = 5000;
const MAX_TURNS = 1024;

export class TurnTimes {
  #turns: { readonly at: number; readonly took: number }[] = [];

  /** @param took milliseconds */
  add(took: number, at = performance.now()): void {
    this.#turns.push({ at, took });
    if (this.#turns.length > MAX_TURNS) this.#turns.splice(0, MAX_TURNS / 2);
  }

  /** The percentile of the last seconds, in milliseconds; null without turns. */
  percentile(fraction: number, now = performance.now()): number | null {
    this.#turns = this.#turns.filter(({ at }) => now - at < WINDOW_MS);
    const sorted = this.#turns.map(({ took }) => took).sort((one, other) => one - other);
    const index = Math.min(sorted.length - 1, Math.floor(sorted.length * fraction));
    return sorted[index] ?? null;
  }
}
