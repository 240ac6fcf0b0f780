/**
 * The time for the Date of responses, as in Node's own server: read once a second, since reading a clock costs as much
 * as the rest of a small head. A timer runs only in seconds that have responses.
 */

let now: number | undefined;

function expire(): void {
  now = undefined;
}

/** Milliseconds since the epoch, at some time of the current second. */
export function currentSecond(): number {
  if (now === undefined) {
    now = Date.now();
    setTimeout(expire, 1000 - (now % 1000)).unref();
  }
  return now;
}
