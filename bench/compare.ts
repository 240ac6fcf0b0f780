/**
 * `npm run compare [-- WORD…]`: what a bad deploy, reloads, killed and stuck workers, slow clients and malformed requests do
 * to tsgun, node:http, gunicorn and PM2, with the same app and the same clients. Prints the table of docs/reliability.md. Words
 * select servers by their names. Takes about a minute for each server. Nothing here fails because of a result.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "../test/support/free-port.ts";
import { findSubjects, type Subject } from "./compare/subjects.ts";
import { answers, TRIALS, type Trial } from "./compare/trials.ts";
import { APPS } from "./lib/programs.ts";

const START_MS = 20_000;

/** Runs a trial on a server of its own. An error is its result. */
async function resultOf(trial: Trial, subject: Subject): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-compare-"));
  cpSync(join(APPS, "compare"), folder, { recursive: true });
  const running = await subject.start(folder, await freePort());
  try {
    const end = performance.now() + START_MS;
    while (!(await answers(running.port)) || running.workers().length !== running.size) {
      if (performance.now() > end) return "did not start";
      await pause(50);
    }
    return await trial.run(running, subject, folder);
  } catch (error) {
    return `failed: ${(error as Error).message.split("\n")[0]}`;
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const words = process.argv.slice(2);
const { subjects, missing } = findSubjects();
const chosen = subjects.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
for (const line of missing) console.error(`left out: ${line}`);
const columns: string[][] = [];
for (const subject of chosen) {
  const column: string[] = [];
  for (const trial of TRIALS) {
    const result = await resultOf(trial, subject);
    console.error(`${subject.name}: ${trial.name}: ${result}`);
    column.push(result);
  }
  columns.push(column);
}
console.log(`| | ${chosen.map(({ name }) => name).join(" | ")} |`);
console.log(`| --- |${" --- |".repeat(chosen.length)}`);
for (const [row, { name }] of TRIALS.entries())
  console.log(`| ${name} | ${columns.map((column) => column[row]).join(" | ")} |`);
console.log(
  `\nNode ${process.versions.node}, ${cpus().length} cores, ${new Date().toISOString().slice(0, 10)}.`,
);
