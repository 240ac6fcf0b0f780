/** One generated connection, the same for the same seed and number. */
import type { RequestLimits } from "../../../src/http/head-limit.ts";
import { Random } from "../../support/random.ts";
import { readCorpus } from "../corpus.ts";
import { CORPUS_LIMITS } from "../drive.ts";
import { mutate } from "../mutation.ts";
import { generate } from "./grammar.ts";

export interface GeneratedCase {
  /** Latin-1, one character per octet. */
  readonly text: string;
  readonly limits: RequestLimits;
  /** Draws the places where the text is split. */
  readonly seed: number;
}

/** Small limits are reached more often by chance. */
const LIMITS: readonly RequestLimits[] = [
  ...Array.from({ length: 14 }, () => CORPUS_LIMITS),
  { requestLine: 30, fields: 4, fieldSize: 32 },
  { requestLine: 15, fields: 2, fieldSize: 26 },
];

/** Requests that others are joined and crossed with. */
const donors = readCorpus()
  .filter((item) => typeof item.ending === "string" && item.bytes.length > 0 && item.bytes.length <= 1024)
  .map((item) => item.bytes.toString("latin1"));

/** Three of four are as the grammar made them; the others are damaged besides. */
export function generatedCase(seed: number, number: number): GeneratedCase {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b));
  const made = generate(random);
  const text = random.below(4) === 0 ? mutate(made, random.pick(donors), random).text : made;
  return { text, limits: random.pick(LIMITS), seed: random.below(0x100000000) };
}
