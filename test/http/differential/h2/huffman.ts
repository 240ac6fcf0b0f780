/** The Huffman code of HPACK (RFC 7541 section 5.2). It is canonical, so that the lengths of appendix B are all of it. */

/** Bits of the code of each octet, and of EOS. */
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const EOS = 256;

/** By their bits, as text. */
const SYMBOLS = new Map<string, number>();
const CODES: string[] = [];

function length(symbol: number): number {
  return LENGTHS[symbol] as number;
}

let next = 0;
let bits = 0;
for (const symbol of [...LENGTHS.keys()].sort((a, b) => length(a) - length(b) || a - b)) {
  next *= 2 ** (length(symbol) - bits);
  bits = length(symbol);
  const code = next.toString(2).padStart(bits, "0");
  SYMBOLS.set(code, symbol);
  CODES[symbol] = code;
  next += 1;
}

/** @param text Latin-1 */
export function huffmanBytes(text: string): Buffer {
  let code = "";
  for (let at = 0; at < text.length; at += 1) code += CODES[text.charCodeAt(at)];
  code = code.padEnd(Math.ceil(code.length / 8) * 8, "1");
  return Buffer.from(code.match(/.{8}/g)?.map((octet) => Number.parseInt(octet, 2)) ?? []);
}

/** Returns the text in Latin-1; undefined for what no encoder may send. */
export function huffmanText(bytes: Uint8Array): string | undefined {
  let text = "";
  let code = "";
  for (const byte of bytes) {
    for (const bit of byte.toString(2).padStart(8, "0")) {
      code += bit;
      const symbol = SYMBOLS.get(code);
      if (symbol === undefined) continue;
      if (symbol === EOS) return undefined;
      text += String.fromCharCode(symbol);
      code = "";
    }
  }
  // The padding is the beginning of EOS, and shorter than an octet.
  return code.length < 8 && !code.includes("0") ? text : undefined;
}
