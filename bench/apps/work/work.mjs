// The work of a request of the overload rows: it computes, or it waits for one of a few connections to a database.
const COMPUTE_MS = 5;
const QUERY_MS = 50;
const CONNECTIONS = 20;

export function compute() {
  const end = performance.now() + COMPUTE_MS;
  while (performance.now() < end);
}

let free = CONNECTIONS;
const queue = [];

/** As a pool of connections does: whoever finds none free waits, for however long. */
export async function query() {
  if (free > 0) free -= 1;
  else await new Promise((resolve) => queue.push(resolve));
  await new Promise((resolve) => setTimeout(resolve, QUERY_MS));
  const next = queue.shift();
  if (next === undefined) free += 1;
  else next();
}

export const CONTENT = "done\n";
