/** Chunk sizes and extensions, RFC 9112 section 7.1, and what is malformed in them. */
import type { Random } from "../../support/random.ts";

export function chunkSize(size: number, random: Random): string {
  const digits = size.toString(16);
  const draw = random.below(6);
  if (draw === 0) return digits.toUpperCase();
  return draw === 1 ? digits.padStart(1 + random.below(16), "0") : digits;
}

type Flaw = (size: number) => string;
const hex = (size: number): string => size.toString(16);

export const CHUNK_SIZE_FLAWS: readonly Flaw[] = [
  () => "",
  (size) => `0x${hex(size)}`,
  (size) => `+${hex(size)}`,
  (size) => `-${hex(size)}`,
  (size) => ` ${hex(size)}`,
  (size) => `\t${hex(size)}`,
  (size) => `${hex(size)} `,
  (size) => `${hex(size)}\t`,
  (size) => `${hex(size)}\0`,
  (size) => `${hex(size)}_0`,
  (size) => `${hex(size)}g`,
  (size) => `${hex(size)}.0`,
  (size) => `${hex(size)}\r`,
  (size) => `${hex(size)}\n`,
  (size) => hex(size + 1),
  (size) => hex(Math.max(size - 1, 0)),
  // The size again where a reader keeps only 32 or 64 bits.
  (size) => `1${hex(size).padStart(8, "0")}`,
  (size) => `1${hex(size).padStart(16, "0")}`,
  (size) => hex(size).padStart(17, "0"),
  () => "ffffffffffffffff",
  () => "7fffffffffffffff",
  () => "20000000000000",
  () => "\xb2",
];

export const EXTENSIONS = [";a", ";a=b", ';a="b c"', ';a="\\""', ";a;b=c", ' ; a = "b"', "\t;a", ';a="\xe9"'];

export const EXTENSION_FLAWS = [
  ";",
  ";;",
  ";=",
  ";a=",
  ';a="',
  ';a="b',
  ";a b",
  ";a\n",
  ";a\r",
  ";a\nb",
  ";a\rb",
  ';a="\n"',
  ';a="\r\n"',
  ";\0",
  ";a\x0b",
  ";a=\x7f",
  ",a",
  " ",
  " a",
  `;${"a".repeat(5000)}`,
];
