/** An app finds `process.report` as Node made it, although Node is to report an exhausted heap to the arbiter. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { reportHeap } from "../../src/worker/heap-reports.ts";

type Report = NonNullable<NodeJS.Process["report"]>;

const ORIGINAL = Object.getOwnPropertyDescriptor(process, "report") as PropertyDescriptor;
const real = process.report as Report;
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsgun-report-"));
});

afterEach(() => {
  Object.defineProperty(process, "report", ORIGINAL);
  Object.assign(real, { directory: "", filename: "", reportOnFatalError: false, excludeNetwork: false });
  rmSync(folder, { recursive: true });
});

function settings(report: Report): unknown[] {
  return [report.directory, report.filename, report.reportOnFatalError];
}

test("Node reports to the descriptor, and the app sees none of it", () => {
  reportHeap(9);
  assert.deepEqual(settings(real), ["/proc/self/fd", "9", true]);
  assert.deepEqual(settings(process.report as Report), ["", "", false]);
});

test("reports of the app itself are complete and go where it wants", () => {
  reportHeap(9);
  const { header } = (process.report as Report).getReport() as { header: { processId?: number } };
  assert.equal(header.processId, process.pid);
  const file = join(folder, "own.json");
  process.report?.writeReport(file);
  assert.ok(existsSync(file));
  assert.ok("environmentVariables" in JSON.parse(readFileSync(file, "utf8")));
  assert.deepEqual(settings(real), ["/proc/self/fd", "9", true], "and Node's own still go to the arbiter");
});

test("settings of the app take the place of ours", () => {
  reportHeap(9);
  const report = process.report as Report;
  report.directory = folder;
  assert.deepEqual(settings(real), [folder, "", false]);
  assert.equal(process.report, real);
});

test("settings that were there before are left alone", () => {
  for (const before of [{ directory: folder }, { reportOnFatalError: true }, { filename: "mine.json" }]) {
    Object.assign(real, { directory: "", filename: "", reportOnFatalError: false }, before);
    const found = settings(real);
    reportHeap(9);
    assert.deepEqual(settings(real), found);
    assert.equal(process.report, real);
  }
});

test("without a file nothing changes", () => {
  reportHeap(undefined);
  assert.equal(process.report, real);
});
