/**
 * The time that a request has waited in front of the app: X-Request-Start, which a proxy sets, says when it got there. As
 * New Relic and Heroku read it: an optional `t=`, then the time since the epoch in seconds (nginx's `t=${msec}`),
 * milliseconds, microseconds or nanoseconds.
 */

import type { RequestMeter } from "./request-meter.ts";

export const REQUEST_START = "x-request-start";

/** The time since the epoch in seconds is less than this until the year 5138; in milliseconds it is more since 1973. */
const MAX_SECONDS = 1e11;
const UNIT = 1000;

/** A longer time is a fault of a clock: proxies give up long before. */
const MAX_QUEUE_MS = 3_600_000;

const START = /^\s*(?:t=)?(\d{9,19}(?:\.\d{1,9})?)\s*$/;

/**
 * Returns milliseconds; undefined if the value is no time, or one that cannot be. A clock that is ahead makes it 0.
 *
 * @param value of the field
 * @param now milliseconds since the epoch
 */
export function queueTime(value: string, now: number): number | undefined {
  const [, digits] = START.exec(value) ?? [];
  if (digits === undefined) return undefined;
  let seconds = Number(digits);
  while (seconds >= MAX_SECONDS) seconds /= UNIT;
  const waited = now - seconds * UNIT;
  if (waited > MAX_QUEUE_MS || waited < -MAX_QUEUE_MS) return undefined;
  return Math.max(0, waited);
}

/** The queue time that a trusted peer names in the value of the field; 0 if it names none. */
export function queueTimeOf(value: string | undefined): number {
  return (value === undefined ? undefined : queueTime(value, Date.now())) ?? 0;
}

/** Counts the queue time that a trusted peer names. */
export function meterQueue(meter: RequestMeter, value: string | undefined): void {
  const waited = value === undefined ? undefined : queueTime(value, Date.now());
  if (waited !== undefined) meter.queued(waited);
}
