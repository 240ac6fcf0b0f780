/** Makes a failing text smaller while it fails: first runs of characters are left out, then single ones made plain. */

/** The number of attempts after which it stops with what it has. */
const MAX_ATTEMPTS = 4000;

/** @param fails whether a text still shows the failure */
export async function minimise(
  text: string,
  fails: (candidate: string) => boolean | Promise<boolean>,
): Promise<string> {
  let smallest = text;
  let attempts = 0;
  const shrink = async (candidate: string): Promise<boolean> => {
    attempts += 1;
    if (attempts > MAX_ATTEMPTS || !(await fails(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (let before = ""; before !== smallest && attempts < MAX_ATTEMPTS; ) {
    before = smallest;
    for (let run = Math.ceil(smallest.length / 2); run >= 1; run = run === 1 ? 0 : Math.ceil(run / 2)) {
      for (let at = 0; at < smallest.length; ) {
        if (!(await shrink(smallest.slice(0, at) + smallest.slice(at + run)))) at += run;
      }
    }
    for (let at = 0; at < smallest.length; at += 1) {
      if (/[b-zB-Z2-9]/.test(smallest[at] as string))
        await shrink(`${smallest.slice(0, at)}a${smallest.slice(at + 1)}`);
    }
  }
  return smallest;
}

/** The same for a text that makes no sense cut anywhere: its parts are left out one by one. */
export async function minimiseParts(
  parts: readonly string[],
  fails: (candidate: string) => boolean | Promise<boolean>,
): Promise<string> {
  let smallest = [...parts];
  for (let at = smallest.length - 1; at >= 0; at -= 1) {
    const candidate = smallest.filter((_, other) => other !== at);
    if (await fails(candidate.join(""))) smallest = candidate;
  }
  return smallest.join("");
}
