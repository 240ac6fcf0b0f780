/** The ids of requests that no trusted proxy has named, in one form for all servers of a process. */

// 48 random bits per process and a counter: unique among workers and hosts, and 20 ns to make. It needs not
// be hard to guess, and node:crypto takes a twentieth of a worker's start.
const PREFIX = Math.floor(Math.random() * 2 ** 48)
  .toString(16)
  .padStart(12, "0");
let latest = 0;

/** Counts a request; `requestId` makes its id once somebody asks. */
export function nextRequestNumber(): number {
  latest += 1;
  return latest;
}

/** The id of the request with that number. */
export function requestId(number: number): string {
  return `${PREFIX}-${number.toString(36)}`;
}
