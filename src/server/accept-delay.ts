/**
 * How long a worker waits, after accepting a connection, before it accepts the next one.
 *
 * The kernel wakes all workers for a new connection, and the first to run takes all that wait: without this rule four
 * workers got 1 to 61 of 64 simultaneous connections. While a worker waits, the others accept. The arbiter tells each
 * worker its share (`arbiter/pool/balance.ts`). Up to its share, and up to the number that it has held a moment ago, a
 * worker never waits: so nobody waits where all are idle or equally busy, or where connections close as fast as they
 * come. Beyond that it may grow by an eighth each millisecond, but at least by one connection: the share that it knows is
 * up to a moment old, and a burst may well be for all of them.
 *
 *     connections     up to its level    up to 8    32      64      256
 *     milliseconds                  0          1    1/4     1/8     1/32
 */

/** The growth of a worker beyond its level, as a part of its connections each millisecond. */
const GROWTH = 1 / 8;

/**
 * Milliseconds to wait for a connection that was accepted; the caller adds up what is too short for its timer.
 *
 * @param connections that the worker holds, with this one
 * @param level the connections that it may hold without waiting: its share, or as many as it has held lately
 */
export function acceptDelay(connections: number, level: number): number {
  return connections <= level ? 0 : 1 / Math.max(1, connections * GROWTH);
}
