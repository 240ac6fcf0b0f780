/** A copy of text for keeping, apart from how V8 represents the text that it was made from. */
// Imported, since the global is an accessor, which V8 calls at each use.
import { Buffer } from "node:buffer";

/**
 * Copies Latin-1 text, a byte per character, into one piece of its own. V8 cuts by reference, so a few bytes kept for
 * long would keep a whole head; and it joins by reference, so a sum of strings is a tree that each use walks again.
 */
export function ownCopy(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
