/**
 * `npm run fuzz`: generated connections against the reference reader, as long as wanted.
 *
 *     --seconds N     how long (default: 60)
 *     --cases N       how many cases, in place of a time: the same ones each time
 *     --from N        the number of the first case (default: 0)
 *     --seed S        where to begin (default: drawn, and printed)
 *     --subject NAME  one of SUBJECTS (default: engine)
 *     --file PATH     checks only the failure that an earlier run has written to PATH
 *     --go-on         counts failures and goes on: for runs that look for a crash of the process
 *
 * A failure is made small and written to a file, and the run ends with exit code 1. When it is fixed, its text belongs in
 * the corpus, with the clause that decides it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { GeneratedCase } from "./case.ts";
import { minimise, minimiseParts } from "./minimise.ts";
import { openSubject, SUBJECTS, type Subject } from "./subjects.ts";

const PROGRESS_MS = 10_000;
/** Cases between two turns of the event loop, where checks do not wait for anything. */
const CASES_A_TURN = 256;

// Most cases are refused several times, and the stacks of these errors took a tenth of the time. Assertions set it anew.
Error.stackTraceLimit = 0;

async function failureOf(subject: Subject, item: GeneratedCase): Promise<Error | undefined> {
  try {
    await subject.check(item);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** The common part of two failures of one kind: the words before any value. */
function kindOf(error: unknown): string {
  return /^[^:{[\d]*/.exec((error as Error).message)?.[0] ?? "";
}

/** Writes a failure to a file of its own, and returns the path. */
async function keep(subject: Subject, item: GeneratedCase, error: unknown, label: string): Promise<string> {
  const kind = kindOf(error);
  const fails = async (candidate: string): Promise<boolean> => {
    const failure = await failureOf(subject, { ...item, text: candidate });
    return failure !== undefined && kindOf(failure) === kind;
  };
  const parts = subject.parts?.(item.text);
  const text = await (parts === undefined ? minimise(item.text, fails) : minimiseParts(parts, fails));
  const path = join(tmpdir(), `tsgun-fuzz-${subject.name}-${label}.json`);
  writeFileSync(path, `${JSON.stringify({ subject: subject.name, ...item, text }, undefined, 2)}\n`);
  return path;
}

/** Checks the failure in a file. Returns the exit code. */
async function replay(path: string): Promise<number> {
  const item = JSON.parse(readFileSync(path, "utf8")) as GeneratedCase & { subject: string };
  const subject = await openSubject(item.subject);
  const error = await failureOf(subject, item);
  await subject.close();
  console.log(error === undefined ? `${path}: passes` : `${path}: ${JSON.stringify(item.text)}\n${error}`);
  return error === undefined ? 0 : 1;
}

interface Progress {
  next: number;
  failure: Error | undefined;
  readonly endings: Map<string, number>;
  /** Whether failures are counted as an ending, and the run goes on. */
  readonly goesOn: boolean;
}

/** The end of a run: a time of `performance.now()`, or a number of cases. */
interface End {
  readonly at: number;
  readonly cases: number;
}

function count({ endings }: Progress, ending: string): void {
  endings.set(ending, (endings.get(ending) ?? 0) + 1);
}

/** One of those that draw cases, until the end or until one has failed. */
async function lane(subject: Subject, seed: number, end: End, progress: Progress): Promise<void> {
  while (performance.now() < end.at && progress.next < end.cases && progress.failure === undefined) {
    const number = progress.next;
    progress.next += 1;
    if (number % CASES_A_TURN === 0) await new Promise(setImmediate);
    const item = subject.generate(seed, number);
    try {
      const ending = await subject.check(item);
      count(progress, ending);
    } catch (error) {
      if (progress.goesOn) {
        count(progress, "FAILS");
        continue;
      }
      console.error(`seed ${seed}, case ${number} fails; making it small`);
      const path = await keep(subject, item, error, `${seed}-${number}`);
      progress.failure = new Error(`seed ${seed}, case ${number}: ${error}\nnpm run fuzz -- --file ${path}`);
    }
  }
}

async function fuzz(
  name: string,
  seed: number,
  from: number,
  seconds: number,
  cases: number,
  goesOn: boolean,
): Promise<number> {
  const subject = await openSubject(name);
  const progress: Progress = { next: from, failure: undefined, endings: new Map(), goesOn };
  const startedAt = performance.now();
  console.log(`${name}, seed ${seed}, ${Number.isFinite(cases) ? `${cases} cases` : `${seconds} s`}`);
  const report = (): void => {
    const done = progress.next - from;
    const rate = Math.round(done / ((performance.now() - startedAt) / 1000));
    const endings = [...progress.endings]
      .sort((a, b) => b[1] - a[1])
      .map(([ending, count]) => `${ending} ${count}`);
    console.log(`${done} cases, ${rate} a second: ${endings.join(", ")}`);
  };
  const timer = setInterval(report, PROGRESS_MS);
  const end = {
    at: Number.isFinite(cases) ? Number.POSITIVE_INFINITY : startedAt + seconds * 1000,
    cases: from + cases,
  };
  await Promise.all(Array.from({ length: subject.lanes }, () => lane(subject, seed, end, progress)));
  clearInterval(timer);
  await subject.close();
  report();
  if (progress.failure === undefined) return 0;
  console.error(progress.failure.message);
  return 1;
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    cases: { type: "string", default: "Infinity" },
    from: { type: "string", default: "0" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 0x100000000)) },
    subject: { type: "string", default: "engine" },
    file: { type: "string" },
    "go-on": { type: "boolean", default: false },
  },
});
const isNumber =
  [values.seconds, values.cases].every((text) => Number(text) > 0) && /^\d+$/.test(values.seed);
if (!(values.subject in SUBJECTS) || !isNumber) {
  const names = Object.keys(SUBJECTS).join(", ");
  console.error(`fuzz: --subject is one of ${names}; --seconds, --cases, --from and --seed are numbers`);
  process.exit(2);
}
process.exitCode =
  values.file !== undefined
    ? await replay(values.file)
    : await fuzz(
        values.subject,
        Number(values.seed),
        Number(values.from),
        Number(values.seconds),
        Number(values.cases),
        values["go-on"],
      );
