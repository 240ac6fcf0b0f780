/**
 * The parser against the reference reader: the same requests and the same end, however the bytes are split. RFC 9112
 * section 2.2 lets a recipient parse only octets in their order, so a split must make no difference.
 */
import assert from "node:assert/strict";
import type { RequestLimits } from "../../../src/http/head-limit.ts";
import type { Random } from "../../support/random.ts";
import type { Reading } from "../corpus.ts";
import { cut, drive, singly } from "../drive.ts";
import { readByReference } from "../reference.ts";

/** Up to six places within the bytes, in order. */
export function randomPlaces(length: number, random: Random): number[] {
  const places = Array.from({ length: 1 + random.below(6) }, () => random.below(length + 1));
  return [...new Set(places)].filter((place) => place > 0 && place < length).sort((a, b) => a - b);
}

function refused(reading: Reading): boolean {
  return typeof reading.ending === "object";
}

/** The reference notices some errors only at the end of the line, so truncation may hide them from it. */
function checkAgainstReference(reading: Reading, reference: Reading): void {
  assert.deepEqual(reading.requests, reference.requests, "other requests than the reference finds");
  assert.deepEqual(reading.partial, reference.partial, "another broken request than the reference finds");
  if (refused(reference))
    assert.ok(refused(reading), `the reference refuses with ${JSON.stringify(reference.ending)}`);
  else if (reference.ending === "incomplete") assert.ok(refused(reading) || reading.ending === "incomplete");
  else assert.deepEqual(reading.ending, reference.ending);
}

/** Returns the reading if all splits have the same and the reference agrees; throws otherwise. */
export function checkEngine(bytes: Buffer, limits: RequestLimits, random: Random): Reading {
  const reading = drive([bytes], limits);
  assert.deepEqual(drive(singly(bytes), limits), reading, "another verdict byte by byte");
  for (let round = 0; round < 3; round += 1) {
    const places = randomPlaces(bytes.length, random);
    assert.deepEqual(drive(cut(bytes, places), limits), reading, `another verdict when split at ${places}`);
  }
  checkAgainstReference(reading, readByReference(bytes, limits));
  return reading;
}

/** How a connection ended, as one word. */
export function endingOf({ ending }: Reading): string {
  return typeof ending === "object" ? String(ending.refused) : ending;
}
