/**
 * Damages requests at random, but reproducibly from a seed. The kinds of damage are those that have caused request
 * smuggling between real recipients: line ends, lengths, chunk sizes, repeated fields, folds.
 */

import type { Random } from "../support/random.ts";

/** Texts are Latin-1, one character per octet. `donor` is another request of the corpus. */
type Mutation = (text: string, random: Random, donor: string) => string;

function splice(text: string, at: number, removed: number, added: string): string {
  return text.slice(0, at) + added + text.slice(at + removed);
}

function insert(choices: readonly string[]): Mutation {
  return (text, random) => splice(text, random.below(text.length + 1), 0, random.pick(choices));
}

/** Replaces one match of `pattern`, if there is one. */
function edit(pattern: RegExp, change: (match: string, random: Random) => string): Mutation {
  return (text, random) => {
    const matches = [...text.matchAll(pattern)];
    if (matches.length === 0) return text;
    const match = random.pick(matches);
    return splice(text, match.index, match[0].length, change(match[0], random));
  };
}

const FIELDS = [
  "Content-Length: 5",
  "Content-Length: 0",
  "content-length: 10",
  "Transfer-Encoding: chunked",
  "transfer-encoding: CHUNKED",
  "Transfer-Encoding: gzip, chunked",
  "Host: b.example",
  "Host: [::1]:80",
  "Host:",
  "Connection: close",
  "Connection: keep-alive, x",
  "Connection: upgrade",
  "Upgrade: x",
  "Expect: 100-continue",
  "X: \xe9\t\x8a",
];

const TARGETS = [
  "/",
  "*",
  "http://a.example",
  "http://[::1]:1/?a",
  "a.example:443",
  "//a",
  "/a%",
  "https://u@a/",
  "/#",
];

const SIZES = [
  "",
  "0",
  "00",
  "5",
  "A",
  "fF",
  "+1",
  "-1",
  "0x1",
  "1_0",
  "1 ",
  " 1",
  "1;a",
  '1;a="',
  "1fffffffffffff",
  "20000000000000",
  "00000000000000001",
];

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "flip a bit": (text, random) => {
    const at = random.below(text.length);
    return splice(text, at, 1, String.fromCharCode((text.charCodeAt(at) ^ (1 << random.below(8))) & 0xff));
  },
  "any byte": (text, random) =>
    splice(text, random.below(text.length), 1, String.fromCharCode(random.below(256))),
  "insert any byte": (text, random) =>
    splice(text, random.below(text.length + 1), 0, String.fromCharCode(random.below(256))),
  "insert a line end or NUL": insert(["\r", "\n", "\r\n", "\n\r", "\r\r\n", "\r\n\r\n", "\0"]),
  "insert a delimiter": insert([" ", "\t", ":", ",", ";", '"', "\\", "=", "/", "?", "#", "@", "[", "]", "%"]),
  "insert a digit": insert(["0", "1", "9", "a", "F", "x", "+", "-", "_"]),
  "delete a byte": (text, random) => splice(text, random.below(text.length), 1, ""),
  "delete a run": (text, random) => splice(text, random.below(text.length), 1 + random.below(16), ""),
  "repeat a run": (text, random) => {
    const at = random.below(text.length);
    return splice(text, at, 0, text.slice(at, at + 1 + random.below(16)));
  },
  "cut the end": (text, random) => text.slice(0, random.below(text.length) + 1),
  "splice two requests": (text, random, donor) =>
    text.slice(0, random.below(text.length + 1)) + donor.slice(random.below(donor.length + 1)),
  "add a request": (text, _random, donor) => text + donor,
  "repeat a line": edit(/[^\n]*\n/g, (line) => line + line),
  "delete a line": edit(/[^\n]*\n/g, () => ""),
  "swap two lines": edit(/[^\n]*\n[^\n]*\n/g, (lines) => {
    const second = lines.indexOf("\n") + 1;
    return lines.slice(second) + lines.slice(0, second);
  }),
  "fold a line": edit(/\r\n/g, (end, random) => end + random.pick([" ", "\t", " \t"])),
  "soften a line end": edit(/\r\n/g, (_end, random) =>
    random.pick(["\n", "\r", "\r\r\n", "\n\n", "\n\r", "\r\r", " \r\n"]),
  ),
  "change a case": edit(/[A-Za-z]+/g, (word, random) =>
    random.pick([word.toUpperCase(), word.toLowerCase(), (word[0] as string).toUpperCase() + word.slice(1)]),
  ),
  "add a field": edit(/\r\n/g, (end, random) => `${end}${random.pick(FIELDS)}\r\n`),
  "space at a colon": edit(/:/g, (_colon, random) => random.pick([" :", "\t:", ": ", ":\t ", "::", ""])),
  "change a number": edit(/\d+/g, (_number, random) => String(random.below(40))),
  "change a length": edit(/(?<=[Ll]ength: *)\S+/g, (_length, random) =>
    random.pick([
      "0",
      "1",
      "5",
      "40",
      "+5",
      "5, 5",
      "0x5",
      "9007199254740991",
      "9007199254740992",
      "005",
      "",
    ]),
  ),
  "change a chunk size": edit(/(?<=\n)[0-9A-Fa-f]+(?=[;\r])/g, (_size, random) => random.pick(SIZES)),
  "change a version": edit(/HTTP\/1\.\d/g, (_version, random) =>
    random.pick(["HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1"]),
  ),
  "change a target": edit(/(?<=^|\n)(\S+ )\S+(?= HTTP)/g, (start, random) =>
    start.replace(/ \S+$/, () => ` ${random.pick(TARGETS)}`),
  ),
  "change a method": edit(/(?<=^|\n)[A-Z]+(?= \S+ HTTP)/g, (_method, random) =>
    random.pick(["GET", "HEAD", "POST", "OPTIONS", "CONNECT", "TRACE", "get", "P\xd6ST"]),
  ),
};

/** Damages `text` one to three times. */
export function mutate(text: string, donor: string, random: Random): { text: string; kinds: string[] } {
  const names = Object.keys(MUTATIONS);
  const kinds: string[] = [];
  let mutated = text;
  for (let left = 1 + random.below(3); left > 0 && mutated.length > 0; left -= 1) {
    const kind = random.pick(names);
    kinds.push(kind);
    mutated = (MUTATIONS[kind] as Mutation)(mutated, random, donor);
  }
  return { text: mutated, kinds };
}
