/**
 * `npm run mutate [-- WORD…]`: holds faulty servers against the conformance suite. Each mutant is one small fault in a
 * temporary copy of `src`; the suite must fail on it. Words select mutants by their name, clause or file.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { MUTANTS } from "./mutants/index.ts";
import { type Mutant, mutated, type SubjectName } from "./mutants/mutant.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** For one run of the suite: the cases have deadlines, so only a loop without an end reaches it. */
const RUN_TIMEOUT_MS = 90_000;

/** The parts of the tree that a run of the suite needs. */
const COPIED = ["src", "package.json", "tsconfig.json", "docs/gateway.md", "test"];

/** The title of the first case that failed, or why the run ended without one; undefined if all cases passed. */
type Verdict = string | undefined;

class Copy {
  readonly folder = mkdtempSync(join(tmpdir(), "tsgun-mutate-"));
  readonly #temporary = join(this.folder, "tmp");

  constructor() {
    for (const path of COPIED) cpSync(join(ROOT, path), join(this.folder, path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(this.folder, "node_modules"));
    mkdirSync(this.#temporary);
  }

  /** Runs the suite with a mutant in place, on each of its servers until a case fails. */
  async test(mutant: Mutant): Promise<Verdict> {
    const path = join(this.folder, "src", mutant.file);
    const source = readFileSync(path, "utf8");
    writeFileSync(path, mutated(mutant, source));
    try {
      for (const subject of mutant.on ?? ["memory"]) {
        const verdict = await this.run(subject);
        if (verdict !== undefined) return `${subject}: ${verdict}`;
      }
      return undefined;
    } finally {
      writeFileSync(path, source);
    }
  }

  /** Runs the suite on one server and stops at its first failing case. */
  async run(subject: SubjectName): Promise<Verdict> {
    const child = spawn(
      process.execPath,
      [
        "--import",
        "@oxc-node/core/register",
        "--test-reporter=tap",
        join("test", "conformance", `${subject}.test.ts`),
      ],
      {
        cwd: this.folder,
        // Cases that are broken off leave their files there.
        env: { ...process.env, TMPDIR: this.#temporary },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const ended = new Promise<string>((resolve) => {
      child.on("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-2000);
    });
    let passed = false;
    let verdict: Verdict;
    const timer = setTimeout(() => {
      verdict ??= `the run took longer than ${RUN_TIMEOUT_MS / 1000} s`;
      child.kill("SIGKILL");
    }, RUN_TIMEOUT_MS);
    for await (const line of createInterface(child.stdout)) {
      if (/^# pass [1-9]/.test(line)) passed = true;
      const [, failed] = /^ +not ok \d+ - (.*)$/.exec(line) ?? [];
      if (failed === undefined || verdict !== undefined) continue;
      verdict = failed.replace(/ # .*/, "");
      child.kill("SIGKILL");
    }
    const end = await ended;
    clearTimeout(timer);
    // A process that ends early may do so with 0: only the summary says that all cases have run.
    if (verdict === undefined && !(passed && end === "exit code 0"))
      verdict = `the process ended with ${end}: ${/^.*Error.*$/m.exec(errors)?.[0] ?? errors.trim()}`;
    return verdict;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Why a mutant no longer applies; nothing if it does. Known before a run that takes minutes. */
function whyStale(mutant: Mutant): string[] {
  try {
    mutated(mutant, readFileSync(join(ROOT, "src", mutant.file), "utf8"));
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

/** Whether the suite passes without any fault; otherwise no verdict means anything. */
async function passesWithout(copy: Copy, mutants: readonly Mutant[]): Promise<boolean> {
  for (const subject of new Set(mutants.flatMap((each) => each.on ?? ["memory" as const]))) {
    const verdict = await copy.run(subject);
    if (verdict === undefined) continue;
    console.error(`the suite fails on ${subject} without any mutant: ${verdict}`);
    return false;
  }
  return true;
}

async function main(words: readonly string[]): Promise<number> {
  const mutants = MUTANTS.filter(({ name, clause, file }) => {
    return words.length === 0 || words.some((word) => `${name} ${clause} ${file}`.includes(word));
  });
  if (mutants.length === 0) {
    console.error(`no mutant matches ${words.join(", ")}`);
    return 1;
  }
  const stale = mutants.flatMap(whyStale);
  if (stale.length > 0) {
    for (const reason of stale) console.error(reason);
    return 1;
  }
  const startedAt = performance.now();
  const copy = new Copy();
  const survivors: string[] = [];
  process.on("exit", () => copy.remove());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
  if (!(await passesWithout(copy, mutants))) return 1;
  console.log("| mutant | clause | caught by |\n| --- | --- | --- |");
  for (const mutant of mutants) {
    const verdict = await copy.test(mutant);
    if (verdict === undefined) survivors.push(mutant.name);
    console.log(`| ${mutant.name} | ${mutant.clause} | ${verdict ?? "SURVIVED"} |`);
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(`\n${mutants.length - survivors.length} of ${mutants.length} mutants caught in ${seconds} s`);
  for (const name of survivors) console.error(`survived: ${name}`);
  return survivors.length === 0 ? 0 : 1;
}

process.exit(await main(process.argv.slice(2)));
