/** Connections of HTTP/2 as cases: those of the grammar, some of them damaged besides. */
import { Random } from "../../../support/random.ts";
import { CORPUS_LIMITS } from "../../drive.ts";
import type { GeneratedCase } from "../case.ts";
import type { Subject } from "../subjects.ts";
import { checkH2 } from "./check.ts";
import { generateFrames } from "./grammar.ts";
import { H2Lane } from "./lane.ts";

const LANES = 16;

/** One of eight is damaged: a bit is flipped anywhere, or octets are left out or repeated. */
export function generatedSession(seed: number, number: number): GeneratedCase {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b));
  const made = generateFrames(random);
  const bytes = random.below(8) === 0 ? damaged(made, random) : made;
  return { text: bytes.toString("latin1"), limits: CORPUS_LIMITS, seed: random.below(0x100000000) };
}

function damaged(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  const size = 1 + random.below(12);
  const draw = random.below(4);
  if (draw === 0) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
  if (draw === 1) return Buffer.concat([bytes.subarray(0, at + size), bytes.subarray(at)]);
  const copy = Buffer.from(bytes);
  copy[at] = draw === 2 ? (copy[at] as number) ^ (1 << random.below(8)) : random.below(256);
  return copy;
}

/** The frames of a text; its rest is the last one. */
function framesOf(text: string): string[] {
  const frames: string[] = [];
  for (let at = 0; at < text.length; ) {
    const length = Buffer.from(text.slice(at, at + 3), "latin1").readUIntBE(0, Math.min(3, text.length - at));
    frames.push(text.slice(at, at + 9 + length));
    at += 9 + length;
  }
  return frames;
}

export async function openH2(): Promise<Subject> {
  const lanes = await Promise.all(Array.from({ length: LANES }, () => H2Lane.open()));
  const free = [...lanes];
  return {
    name: "h2",
    generate: generatedSession,
    parts: framesOf,
    lanes: LANES,
    check: async ({ text, seed }) => {
      const lane = free.pop() as H2Lane;
      try {
        return await checkH2(lane, Buffer.from(text, "latin1"), new Random(seed));
      } finally {
        free.push(lane);
      }
    },
    close: () => {
      for (const lane of lanes) lane.close();
    },
  };
}
