/** Suggests the intended name for a typo. */

/** Maximum edit distance of a suggestion. */
const DEFAULT_TOLERANCE = 3;

/** Returns the name with the smallest edit distance (insertions, deletions, replacements, swaps), or undefined if none is close. */
export function nearestName(
  wanted: string,
  names: readonly string[],
  tolerance = DEFAULT_TOLERANCE,
): string | undefined {
  let nearest: string | undefined;
  let bestDistance = Math.min(tolerance, Math.floor(wanted.length / 2)) + 1;
  for (const name of names) {
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) {
      bestDistance = distance;
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
