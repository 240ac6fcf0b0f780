/**
 * Splits text into words like a POSIX shell (2.2 Quoting), without expansions: for command lines in an environment
 * variable. gunicorn parses `GUNICORN_CMD_ARGS` the same way, with Python's shlex.
 */
const PART = /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)|(\s+)/y;

/** @throws Error with the reason for an unterminated quote or a trailing backslash. */
export function shellWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const at = PART.lastIndex;
    const [, single, double, escaped, plain, space] = PART.exec(text) ?? unfinished(text, at);
    if (space !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word = (word ?? "") + (single ?? double?.replaceAll(/\\([\\"$`])/g, "$1") ?? escaped ?? plain ?? "");
  }
  if (word !== undefined) words.push(word);
  return words;
}

function unfinished(text: string, at: number): never {
  if (text[at] === "\\") throw new Error("there is nothing after the last backslash");
  throw new Error(`the quote ${text[at]} at character ${at + 1} is not terminated`);
}
