/**
 * `npm run bench:report -- [--note TEXT] FILE…`: renders the tables of docs/performance.md from files that `npm run bench
 * -- --json FILE` wrote. Files of one version of Node are merged: of a scenario that several have, the last file's is
 * taken. The note says what a reader must know of these runs.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ResultDocument } from "./lib/document.ts";
import { ROOT } from "./lib/programs.ts";
import { details, goalTable, replaceBlock, surroundings, versionsOf } from "./lib/tables.ts";

const PAGE = join(ROOT, "docs", "performance.md");

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { note: { type: "string" } },
});
if (files.length === 0) {
  console.error("bench: name the files that npm run bench -- --json FILE has written");
  process.exitCode = 2;
} else {
  const versions = versionsOf(files.map((file) => JSON.parse(readFileSync(file, "utf8")) as ResultDocument));
  let text = readFileSync(PAGE, "utf8");
  text = replaceBlock(
    text,
    "goals",
    `${[surroundings(versions), values.note].filter(Boolean).join(" ")}\n\n${goalTable(versions)}`,
  );
  text = replaceBlock(text, "results", details(versions));
  writeFileSync(PAGE, text);
}
