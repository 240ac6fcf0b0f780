/** Prometheus' text, as a test reads it. */

export type Samples = ReadonlyMap<string, number>;

/** The samples of a text by their names with labels, and which of them are counters: those may never fall. */
export function readMetrics(text: string): { readonly samples: Samples; readonly counters: Samples } {
  const samples = new Map<string, number>();
  const counters = new Map<string, number>();
  let type = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# TYPE ")) type = line.split(" ")[3] ?? "";
    if (line === "" || line.startsWith("#")) continue;
    const at = line.lastIndexOf(" ");
    const [name, value] = [line.slice(0, at), Number(line.slice(at + 1))];
    samples.set(name, value);
    if (type !== "gauge") counters.set(name, value);
  }
  return { samples, counters };
}

/** The sum of all samples of a name whose labels match. */
export function sumOf(samples: Samples, name: string, labels = /(?:)/): number {
  let sum = 0;
  for (const [key, value] of samples) if (key.replace(/\{.*/, "") === name && labels.test(key)) sum += value;
  return sum;
}

/** Collects scrapes: each counter may only grow, and stays once it is there. */
export class MonotonicCounters {
  readonly faults: string[] = [];
  scrapes = 0;
  #last: Samples = new Map();

  add(text: string, from: string): Samples {
    const { samples, counters } = readMetrics(text);
    this.scrapes += 1;
    for (const [name, before] of this.#last) {
      const value = counters.get(name);
      // Sums of floating-point numbers may differ in the last digits by the order in which they are added.
      if (value === undefined || value < before - Math.abs(before) * 1e-9)
        this.faults.push(`scrape ${this.scrapes} (${from}): ${name} ${before} -> ${value ?? "gone"}`);
    }
    this.#last = counters;
    return samples;
  }
}
