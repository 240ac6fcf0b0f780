/** Reads the names of a function's parameters from its text. */

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/**
 * The parameters in order. A name without its default; `...name` for a rest parameter; "" for one that is taken apart
 * (`{ url }`, `[a, b]`). Undefined when the text shows none: native and bound functions.
 */
export function parameterNames(value: (...args: never[]) => unknown): string[] | undefined {
  const text = withoutComments(Function.prototype.toString.call(value));
  if (/\{\s*\[native code\]\s*\}\s*$/.test(text)) return undefined;
  const arrow = /^(?:async\s+)?([\p{L}_$][\p{L}\p{N}_$]*)\s*=>/u.exec(text);
  if (arrow !== null) return [arrow[1] as string];
  const open = openingOf(text);
  if (open === -1) return undefined;
  return split(text.slice(open + 1, endOf(text, open)))
    .map((parameter) => parameter.trim())
    .filter((parameter) => parameter !== "")
    .map(nameOf);
}

/** The parenthesis that opens the parameters: a method may have a computed name before it. */
function openingOf(text: string): number {
  let at = text.search(/[([]/);
  while (at !== -1 && text[at] === "[") {
    const next = text.slice(endOf(text, at)).search(/[([]/);
    at = next === -1 ? -1 : endOf(text, at) + next;
  }
  return at;
}

function nameOf(parameter: string): string {
  return /^(?:\.\.\.)?[\p{L}_$][\p{L}\p{N}_$]*/u.exec(parameter)?.[0] ?? "";
}

/** Index of the bracket that closes the one at `open`. */
function endOf(text: string, open: number): number {
  const stack: string[] = [];
  for (let index = open; index < text.length; index += 1) {
    const character = text[index] as string;
    if (character === '"' || character === "'" || character === "`") index = endOfString(text, index);
    else if (character in CLOSING) stack.push(CLOSING[character] as string);
    else if (character === stack.at(-1)) {
      stack.pop();
      if (stack.length === 0) return index;
    }
  }
  return text.length;
}

function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index += 1) {
    if (text[index] === "\\") index += 1;
    else if (text[index] === text[start]) return index;
  }
  return text.length;
}

/** Splits at commas outside of brackets and strings. */
function split(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] as string;
    if (character === '"' || character === "'" || character === "`") index = endOfString(text, index);
    else if (character in CLOSING) index = endOf(text, index);
    else if (character === ",") {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return [...parts, text.slice(start)];
}

/** Only the comments before the body matter; one in the body cannot change the parameters. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, " ").replaceAll(/(?<=^|[\s,({=])\/\/[^\n]*/g, " ");
}
