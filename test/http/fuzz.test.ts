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
import { readCorpus } from "./corpus.ts";
import { checkEngine, endingOf } from "./differential/engine-check.ts";
import { CORPUS_LIMITS } from "./drive.ts";
import { mutate } from "./mutation.ts";

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

test(`${RUNS} damaged requests, seed ${SEED}`, { timeout: 600_000 }, (context) => {
  const endings = new Map<string, number>();
  for (let run = 0; run < RUNS; run += 1) {
    const random = new Random(Math.imul(SEED, 0x9e3779b1) + run);
    const limits = random.pick(LIMITS);
    const { text, kinds } = mutate(random.pick(pool(random)), random.pick(good), random);
    try {
      const name = endingOf(checkEngine(Buffer.from(text, "latin1"), limits, random));
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
