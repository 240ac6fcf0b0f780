/** From the bytes of a terminal in raw mode to keys. */

/** A printable character, or the name of another key: `up`, `page-down`, `enter`, `escape`, `ctrl-c`. */
export type Key = string;

const SEQUENCES: Readonly<Record<string, Key>> = {
  "[A": "up",
  "[B": "down",
  "[C": "right",
  "[D": "left",
  "[H": "home",
  "[F": "end",
  "[1~": "home",
  "[4~": "end",
  "[7~": "home",
  "[8~": "end",
  "[5~": "page-up",
  "[6~": "page-down",
  OA: "up",
  OB: "down",
  OC: "right",
  OD: "left",
  OH: "home",
  OF: "end",
};

const CONTROLS: Readonly<Record<string, Key>> = {
  "\r": "enter",
  "\n": "enter",
  "\x03": "ctrl-c",
  "\x0c": "ctrl-l",
  "\x1a": "ctrl-z",
  "\x7f": "backspace",
  "\b": "backspace",
};

/**
 * A complete sequence after ESC (ECMA-48 5.4, and SS3 of the keypad). Before anything else an ESC is the key: over a slow
 * line both come at once, and no key with Alt means anything.
 */
const COMPLETE = /^(?:\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]|O[\x40-\x7e])/;
/** The beginning of one, of which more may come. */
const INCOMPLETE = /^(?:\[[\x30-\x3f]*[\x20-\x2f]*|O)?$/;

const PASTE_BEGINS = "[200~";
const PASTE_ENDS = "\x1b[201~";

/** Longer than any sequence of a key; so much of a paste is kept at most, in which its end may have begun. */
const MAX_REST = 64;

export interface Decoded {
  readonly keys: readonly Key[];
  /** The beginning of a sequence: to be put in front of the next input. */
  readonly rest: string;
}

/**
 * Decodes input. Pasted text (between the marks of bracketed paste) is no key: a text with an `R` in it must not reload a
 * server.
 *
 * @param isComplete whether nothing more comes for now, so that a lone ESC is the key
 */
export function decodeKeys(input: string, isComplete = false): Decoded {
  const keys: Key[] = [];
  let at = 0;
  while (at < input.length) {
    const character = String.fromCodePoint(input.codePointAt(at) as number);
    if (character !== "\x1b") {
      const key = CONTROLS[character] ?? (character >= " " ? character : undefined);
      if (key !== undefined) keys.push(key);
      at += character.length;
      continue;
    }
    const after = input.slice(at + 1);
    const [sequence] = COMPLETE.exec(after) ?? [];
    if (sequence === PASTE_BEGINS) {
      const end = after.indexOf(PASTE_ENDS);
      if (end < 0)
        return { keys, rest: `\x1b${PASTE_BEGINS}${after.slice(sequence.length).slice(-MAX_REST)}` };
      at += 1 + end + PASTE_ENDS.length;
    } else if (sequence !== undefined) {
      const key = SEQUENCES[sequence];
      if (key !== undefined) keys.push(key);
      at += 1 + sequence.length;
    } else if (INCOMPLETE.test(after) && !isComplete) {
      return { keys, rest: input.slice(at).slice(0, MAX_REST) };
    } else {
      keys.push("escape");
      at += 1;
    }
  }
  return { keys, rest: "" };
}
