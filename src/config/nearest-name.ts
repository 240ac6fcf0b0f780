/** For typos: the name somebody probably meant. */

/** How many letters two names may differ in and still be taken for one another. */
const TOLERANCE = 3;

/** The name that takes the fewest insertions, deletions, replacements and swaps to reach; none if all are far. */
export function nearestName(
  wanted: string,
  names: readonly string[],
  tolerance = TOLERANCE,
): string | undefined {
  let nearest: string | undefined;
  let least = Math.min(tolerance, Math.floor(wanted.length / 2)) + 1;
  for (const name of names) {
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

/** The restricted Damerau-Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (last[column - 1] as number) + (same ? 0 : 1),
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, (beforeLast[column - 2] as number) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] as number;
}
