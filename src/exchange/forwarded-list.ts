/**
 * Parses lists to which each proxy appends, from the end: the peer itself wrote the last element, but anyone may have
 * written the first. No text to the left of an element can change how it is parsed.
 */

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether the list is one element without blanks around it, as most are. */
export function isSingle(list: string): boolean {
  return (
    list !== "" &&
    !list.includes(",") &&
    !isBlank(list.charCodeAt(0)) &&
    !isBlank(list.charCodeAt(list.length - 1))
  );
}

/** Returns up to `limit` elements from the end of a comma-separated list, the last one first. Skips empty elements. */
export function lastElements(list: string, limit: number): string[] {
  const elements: string[] = [];
  let end = list.length;
  while (end >= 0 && elements.length < limit) {
    const comma = end === 0 ? -1 : list.lastIndexOf(",", end - 1);
    const element = trimBlanks(list, comma + 1, end);
    if (element !== "") elements.push(element);
    end = comma;
  }
  return elements;
}

/** Like `lastElements`, for elements that may contain quoted commas (RFC 7239 section 4). */
export function lastQuotableElements(list: string, limit: number): string[] {
  const elements: string[] = [];
  let end = list.length;
  let quoted = false;
  for (let at = end - 1; at >= -1 && elements.length < limit; at -= 1) {
    const code = at === -1 ? COMMA : list.charCodeAt(at);
    if (code === QUOTE) {
      if (!quoted) quoted = true;
      else if (!isEscaped(list, at)) quoted = false;
    } else if (code === COMMA && (!quoted || at === -1)) {
      const element = trimBlanks(list, at + 1, end);
      if (element !== "") elements.push(element);
      end = at;
    }
  }
  return elements;
}

/** A part of a list without surrounding SP and HTAB. trim() would remove other characters too. */
function trimBlanks(list: string, from: number, to: number): string {
  let first = from;
  let last = to;
  while (first < last && isBlank(list.charCodeAt(first))) first += 1;
  while (last > first && isBlank(list.charCodeAt(last - 1))) last -= 1;
  return list.slice(first, last);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function isEscaped(text: string, at: number): boolean {
  let from = at;
  while (from > 0 && text.charCodeAt(from - 1) === BACKSLASH) from -= 1;
  return (at - from) % 2 === 1;
}

/** An element of Forwarded: one proxy's description of the request it received. */
export interface ForwardedElement {
  readonly for?: string;
  readonly by?: string;
  readonly proto?: string;
  readonly host?: string;
}

// More lenient than RFC 7239 about unquoted values: many proxies send a host with a port unquoted.
const PAIR = /[\t ]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\t ",;]+))[\t ]*(?:;|$)/y;

/** Parses an element of Forwarded; undefined if it is malformed or repeats a parameter. */
export function parseForwardedElement(text: string): ForwardedElement | undefined {
  const element: { [name: string]: string } = Object.create(null);
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const pair = PAIR.exec(text);
    if (pair === null) return undefined;
    const name = (pair[1] as string).toLowerCase();
    if (name in element) return undefined;
    element[name] = pair[3] ?? (pair[2] as string).replaceAll(/\\(.)/g, "$1");
  }
  return element;
}
