/**
 * What a client sent, made harmless: no byte of a request can end a line, close a quotation or reach a
 * terminal. Whatever is escaped can be read back, so that two requests never look the same.
 */

/** All but printable ASCII, the quotation mark and the backslash. */
const UNSAFE = /[^ !#-[\]-~]/;
const UNSAFE_EACH = /[^ !#-[\]-~]/g;

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, "0");
}

/** nginx's way: `\x22` for each byte; characters that are more than a byte stand as their UTF-8. */
export function escapeText(value: string): string {
  if (!UNSAFE.test(value)) return value;
  return value.replace(UNSAFE_EACH, (character) => {
    const code = character.charCodeAt(0);
    if (code <= 0xff) return `\\x${hex(code, 2)}`;
    return [...Buffer.from(character)].map((byte) => `\\x${hex(byte, 2)}`).join("");
  });
}

/** As `escapeText`, and of one word: what stands without quotation marks cannot become two. */
export function escapeWord(value: string): string {
  return escapeText(value).replaceAll(" ", "\\x20");
}

/** The inside of a JSON string, in ASCII: `\u0022`. A byte is the character of its number. */
export function escapeJson(value: string): string {
  if (!UNSAFE.test(value)) return value;
  return value.replace(UNSAFE_EACH, (character) => {
    if (character === '"') return '\\"';
    if (character === "\\") return "\\\\";
    return `\\u${hex(character.charCodeAt(0), 4)}`;
  });
}
