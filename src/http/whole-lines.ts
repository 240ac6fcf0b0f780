/**
 * Takes lines of a head that have arrived whole and are ordinary, four bytes at a time where it can. It gives no verdict:
 * it stops before the first line that is incomplete, too long or malformed, and before the empty line, and leaves that
 * to the scanner's state machine.
 */
import { TARGET_BYTE, TOKEN_BYTE, VALUE_BYTE } from "./grammar.ts";

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const COLON = 0x3a;
/** Longer names are not noted. */
const MAX_NAME = 32;
/** The bits of a letter that are the same in both cases. */
const LETTER_BITS = 0x1f;

/** A table of the lengths and first letters of `names`. */
export function nameTable(names: readonly string[]): Uint8Array {
  const table = new Uint8Array(MAX_NAME * (LETTER_BITS + 1));
  for (const name of names) table[indexOf(name.length, name.charCodeAt(0))] = 1;
  return table;
}

function indexOf(length: number, letter: number): number {
  return (length << 5) | (letter & LETTER_BITS);
}

/** The memory of the last chunk. Nearly all are in the server's read buffer, and to make a view costs more than a line. */
let memory: DataView = new DataView(new ArrayBuffer(0));

/** The whole memory that `bytes` is in. */
export function memoryOf(bytes: Uint8Array): DataView {
  if (memory.buffer !== bytes.buffer) memory = new DataView(bytes.buffer);
  return memory;
}

/** The parts of a request line. Positions are relative to its first byte. */
export interface RequestLine {
  /** Length of the method. The target begins one byte after it. */
  methodEnd: number;
  targetEnd: number;
  /** Where the field section begins. */
  fieldsStart: number;
  major: number;
  minor: number;
}

/** Bytes of ` HTTP/1.1 CR LF`, which follow the target. */
const VERSION_AND_END = 11;

/** Added to each of the four bytes of a word, as a 32-bit number. */
const EACH = 0x01010101;
const SPACES = 0x20 * EACH;
const DELETES = 0x7f * EACH;
const TOP_BITS = 0x80808080 | 0;

export class WholeLines {
  /** Lines taken by the last call, with the noted one. */
  count = 0;
  /** True if the last call stopped behind a line that may be noted; the next two fields describe it. */
  noted = false;
  lineStart = 0;
  nameEnd = 0;

  /** Takes the request line at `start` and sets its parts in `line`. Returns where the next line begins, or `start`. */
  takeRequestLine(
    bytes: Uint8Array,
    start: number,
    end: number,
    maxBytes: number,
    line: RequestLine,
  ): number {
    const isToken = TOKEN_BYTE;
    const isTarget = TARGET_BYTE;
    const bound = Math.min(end, start + maxBytes + 2) - VERSION_AND_END;
    let at = start;
    while (at <= bound && isToken[bytes[at] as number] === 1) at += 1;
    if (at > bound || at === start || bytes[at] !== SP) return start;
    const methodEnd = at;
    at += 1;
    while (at <= bound && isTarget[bytes[at] as number] === 1) at += 1;
    if (at > bound || at === methodEnd + 1 || bytes[at] !== SP) return start;
    const minor = (bytes[at + 8] as number) - 0x30;
    const isVersion1 =
      bytes[at + 1] === 0x48 &&
      bytes[at + 2] === 0x54 &&
      bytes[at + 3] === 0x54 &&
      bytes[at + 4] === 0x50 &&
      bytes[at + 5] === 0x2f &&
      bytes[at + 6] === 0x31 &&
      bytes[at + 7] === 0x2e &&
      (minor === 0 || minor === 1);
    if (!isVersion1 || bytes[at + 9] !== CR || bytes[at + 10] !== LF) return start;
    line.methodEnd = methodEnd - start;
    line.targetEnd = at - start;
    line.fieldsStart = at + VERSION_AND_END - start;
    line.major = 1;
    line.minor = minor;
    return at + VERSION_AND_END;
  }

  /**
   * Takes up to `max` lines of `bytes[start..end)`, but no more behind one that may be noted. Returns where the next line
   * begins. Nothing is called in its loop, since V8 would then check the arrays anew for every byte.
   *
   * @param view `memoryOf(bytes)`
   * @param fieldSize maximum bytes of a line without its CRLF
   * @param names the names to note, as a `nameTable`
   */
  take(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    max: number,
    fieldSize: number,
    names: Uint8Array,
  ): number {
    // Locals: an imported binding is loaded anew for every byte.
    const isToken = TOKEN_BYTE;
    const isValue = VALUE_BYTE;
    const base = bytes.byteOffset | 0;
    const lastWord = (end - 4) | 0;
    let lineStart = start | 0;
    let count = 0;
    let noted = false;
    while (count < max && !noted) {
      let at = lineStart;
      while (at < end && isToken[bytes[at] as number] === 1) at = (at + 1) | 0;
      if (at === end || at === lineStart || bytes[at] !== COLON) break;
      const nameEnd = at;
      at = (at + 1) | 0;
      while (at <= lastWord) {
        const word = view.getInt32((base + at) | 0, true);
        const deleted = word ^ DELETES;
        // The top bit of a byte shows a control character: one below a space, or DEL. 0x80 to 0xFF are none.
        const controls = ((word - SPACES) & ~word) | ((deleted - EACH) & ~deleted);
        if ((controls & TOP_BITS) !== 0) break;
        at = (at + 4) | 0;
      }
      while (at < end && isValue[bytes[at] as number] === 1) at = (at + 1) | 0;
      if (at + 1 >= end || bytes[at] !== CR || bytes[at + 1] !== LF || at - lineStart > fieldSize) break;
      const length = nameEnd - lineStart;
      if (length < MAX_NAME && names[(length << 5) | ((bytes[lineStart] as number) & LETTER_BITS)] === 1) {
        noted = true;
        this.lineStart = lineStart;
        this.nameEnd = nameEnd;
      }
      lineStart = (at + 2) | 0;
      count = (count + 1) | 0;
    }
    this.count = count;
    this.noted = noted;
    return lineStart;
  }
}
