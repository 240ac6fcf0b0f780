/**
 * Damaged requests from a seeded generator. The parser must throw nothing but refusals, always make progress, give the
 * same verdict for every split, and find exactly the requests that the reference reader finds.
 *
 *     TSGUN_FUZZ_SEED    another seed; a failure prints how to reproduce it
 *     TSGUN_FUZZ_RUNS    number of damaged requests
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestLimits } from "../../src/http/head-limit.ts";
import { Random } from "../support/random.ts";
import { type Reading, readCorpus } from "./corpus.ts";
import { CORPUS_LIMITS, cut, drive, singly } from "./drive.ts";
import { mutate } from "./mutation.ts";
import { readByReference } from "./reference.ts";

const SEED = Number(process.env.TSGUN_FUZZ_SEED ?? 9112);
const RUNS = Number(process.env.TSGUN_FUZZ_RUNS ?? 20000);

/** Small limits are reached more often by chance. */
const LIMITS: readonly RequestLimits[] = [
  CORPUS_LIMITS,
  CORPUS_LIMITS,
  CORPUS_LIMITS,
  CORPUS_LIMITS,
  { requestLine: 30, fields: 4, fieldSize: 32 },
  { requestLine: 15, fields: 2, fieldSize: 26 },
];

const corpus = readCorpus();
const texts = corpus.filter((item) => item.bytes.length > 0).map((item) => item.bytes.toString("latin1"));
const short = texts.filter((text) => text.length <= 1024);
/** Damage to valid requests finds more than damage to those refused anyway. */
const good = corpus
  .filter((item) => typeof item.ending === "string" && item.bytes.length > 0 && item.bytes.length <= 1024)
  .map((item) => item.bytes.toString("latin1"));

function pool(random: Random): readonly string[] {
  const draw = random.below(200);
  if (draw === 0) return texts;
  return draw < 40 ? short : good;
}

function randomPlaces(length: number, random: Random): number[] {
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

function check(bytes: Buffer, limits: RequestLimits, random: Random): Reading {
  const reading = drive([bytes], limits);
  assert.deepEqual(drive(singly(bytes), limits), reading, "another verdict byte by byte");
  for (let round = 0; round < 3; round += 1) {
    const places = randomPlaces(bytes.length, random);
    assert.deepEqual(drive(cut(bytes, places), limits), reading, `another verdict when split at ${places}`);
  }
  checkAgainstReference(reading, readByReference(bytes, limits));
  return reading;
}

test(`${RUNS} damaged requests, seed ${SEED}`, { timeout: 600_000 }, (context) => {
  const endings = new Map<string, number>();
  for (let run = 0; run < RUNS; run += 1) {
    const random = new Random(Math.imul(SEED, 0x9e3779b1) + run);
    const limits = random.pick(LIMITS);
    const { text, kinds } = mutate(random.pick(pool(random)), random.pick(good), random);
    try {
      const { ending } = check(Buffer.from(text, "latin1"), limits, random);
      const name = typeof ending === "object" ? String(ending.refused) : ending;
      endings.set(name, (endings.get(name) ?? 0) + 1);
    } catch (error) {
      const input = JSON.stringify({ text, limits });
      throw new Error(`TSGUN_FUZZ_SEED=${SEED}, run ${run} (${kinds.join(", ")}): ${input}\n${error}`, {
        cause: error,
      });
    }
  }
  context.diagnostic(`seed ${SEED}: ${[...endings].map(([name, count]) => `${name} ${count}`).join(", ")}`);
  if (RUNS < 10000) return;
  // Damage that always had the same result would test only one thing.
  for (const ending of [
    "open",
    "closed",
    "upgrade",
    "incomplete",
    "400",
    "414",
    "417",
    "431",
    "501",
    "505",
  ]) {
    assert.ok(endings.has(ending), `no run ended with ${ending}`);
  }
});
