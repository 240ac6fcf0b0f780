/** docs/reliability.md and SECURITY.md: each promise names tests that exist; the former a command that runs them, and figures. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, readPage } from "../support/page.ts";

/** Tables with a column of this name are tables of promises. */
const COLUMN = "promise";

interface Promised {
  readonly line: number;
  readonly promise: string;
  readonly cells: Readonly<Record<string, string>>;
}

const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};

function cellsOf(row: string): string[] {
  // A pipe within a cell is written as \|.
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** The rows of all tables of promises on a page. */
function promisesOf(path: string): Promised[] {
  const found: Promised[] = [];
  let columns: readonly string[] = [];
  for (const [index, row] of readPage(path).text.split("\n").entries()) {
    if (!row.startsWith("|")) columns = [];
    else if (columns.length === 0) columns = cellsOf(row);
    else if (columns.includes(COLUMN) && !row.startsWith("| ---")) {
      const cells = cellsOf(row);
      assert.equal(cells.length, columns.length, `${path}:${index + 1} has another number of columns`);
      const named = Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? ""]));
      found.push({ line: index + 1, promise: named[COLUMN] ?? "", cells: named });
    }
  }
  return found;
}

function codeIn(cell = ""): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? "");
}

/** Names the flaws of the tests that a row names. */
function faultsOfTests({ cells }: Promised): string[] {
  const tests = codeIn(cells.test);
  if (tests.length === 0) return ["names no test"];
  return tests.flatMap((file) => {
    if (!/^(test|bench)\/.*\.ts$/.test(file)) return [`${file} is no test`];
    return existsSync(join(ROOT, file)) ? [] : [`${file} does not exist`];
  });
}

/** Names the flaw of the command of a row: it must run every test that the row names. */
function faultsOfCommand({ cells }: Promised): string[] {
  const [command = ""] = codeIn(cells.command);
  const script = /^npm (?:run )?(\S+)/.exec(command)?.[1];
  if (script !== undefined) return scripts[script] === undefined ? [`there is no npm script ${script}`] : [];
  // A word may begin with variables of the environment, and flags are no words.
  const words = /^(?:[A-Z_]+=\S+ )*node test\/run\.mjs (.+)$/.exec(command)?.[1]?.split(" ");
  if (words === undefined) return [`\`${command}\` is neither an npm script nor test/run.mjs`];
  return codeIn(cells.test)
    .filter((file) => !words.some((word) => file.includes(word)))
    .map((file) => `\`${command}\` does not run ${file}`);
}

test("each promise names tests that exist, a command that runs them, and figures", () => {
  const promises = promisesOf("docs/reliability.md");
  assert.ok(promises.length >= 30, `${promises.length} promises`);
  const faults = promises.flatMap((row) =>
    [
      ...faultsOfTests(row),
      ...faultsOfCommand(row),
      ...(row.promise === "" ? ["promises nothing"] : []),
      ...(row.cells["last figures"] === "" ? ["has no figures"] : []),
    ].map((fault) => `docs/reliability.md:${row.line}: ${fault}`),
  );
  assert.deepEqual(faults, []);
});

test("each promise of SECURITY.md names tests that exist", () => {
  const promises = promisesOf("SECURITY.md");
  assert.ok(promises.length >= 10, `${promises.length} promises`);
  const faults = promises.flatMap((row) =>
    faultsOfTests(row).map((fault) => `SECURITY.md:${row.line}: ${fault}`),
  );
  assert.deepEqual(faults, []);
});

test("no promise stands twice", () => {
  const promises = promisesOf("docs/reliability.md").map(({ promise }) => promise);
  assert.deepEqual(
    promises.filter((promise, at) => promises.indexOf(promise) !== at),
    [],
  );
});
