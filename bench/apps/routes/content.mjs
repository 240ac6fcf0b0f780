// The content that the apps of all servers respond with.

/** A response of a hundred pieces, sent one by one. */
export async function* pieces() {
  for (let piece = 0; piece < 100; piece += 1) yield `piece ${piece} of the answer\n`;
}

const MEBIBYTE = Buffer.alloc(2 ** 20, "0123456789abcdef");
const SIZES = { "/64k": MEBIBYTE.subarray(0, 2 ** 16), "/1m": MEBIBYTE };

/** The content of so many bytes that a path asks for, if it can be held in one piece. */
export const contentOf = (path) => SIZES[path];

/** The pieces of 100 MB, which no server should hold at once. */
export async function* hundredMegabytes() {
  for (let count = 0; count < 100; count += 1) yield MEBIBYTE;
}
export const HUNDRED_MEGABYTES = 100 * MEBIBYTE.length;

const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the event loop without using its core, as execFileSync does: a busy loop would take it from other workers. */
export function block(milliseconds) {
  Atomics.wait(NEVER, 0, 0, milliseconds);
}
