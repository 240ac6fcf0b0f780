/** Generates ids for requests without a trusted X-Request-ID, in one format for all servers of a process. */

// 48 random bits per process and a counter: unique among workers and hosts, at 20 ns an id. Ids need not be hard
// to guess, and loading node:crypto takes a twentieth of a worker's start-up.
const PREFIX = Math.floor(Math.random() * 2 ** 48)
  .toString(16)
  .padStart(12, "0");
let latest = 0;

/** Counts a request; `requestId` formats its id on demand. */
export function nextRequestNumber(): number {
  latest += 1;
  return latest;
}

/** The id of the request with that number. */
export function requestId(number: number): string {
  return `${PREFIX}-${number.toString(36)}`;
}
