/**
 * Escapes text from clients: no byte of a request can end a line, close a quotation or control a terminal. Escaping
 * is reversible, so that two different requests never look the same.
 */

/** Anything but printable ASCII; also the quotation mark and the backslash. */
const UNSAFE = /[^ !#-[\]-~]/;
const UNSAFE_EACH = /[^ !#-[\]-~]/g;

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, "0");
}

/** As nginx does: `\x22` per byte; a character above 0xff becomes its UTF-8 bytes. */
export function escapeText(value: string): string {
  if (!UNSAFE.test(value)) return value;
  return value.replace(UNSAFE_EACH, (character) => {
    const code = character.charCodeAt(0);
    if (code <= 0xff) return `\\x${hex(code, 2)}`;
    return [...Buffer.from(character)].map((byte) => `\\x${hex(byte, 2)}`).join("");
  });
}

/** Like `escapeText`, and escapes spaces: a value without quotation marks stays one word. */
export function escapeWord(value: string): string {
  return escapeText(value).replaceAll(" ", "\\x20");
}

/** The inside of a JSON string, in ASCII: `\u0022`. Bytes are read as Latin-1. */
export function escapeJson(value: string): string {
  if (!UNSAFE.test(value)) return value;
  return value.replace(UNSAFE_EACH, (character) => {
    if (character === '"') return '\\"';
    if (character === "\\") return "\\\\";
    return `\\u${hex(character.charCodeAt(0), 4)}`;
  });
}
