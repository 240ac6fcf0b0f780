/**
 * `npm run bench:access-log`: the cost of the access log. Compares our engine without a log and with a log file in two
 * formats, measured as in `npm run bench`.
 *
 *   npm run bench:access-log -- [--rounds 5] [--seconds 4] [--connections 64]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CandidateSpec } from "./candidate.ts";
import { compare, loadOptions, ratio } from "./load.ts";

const BASELINE = "no log";

const folder = mkdtempSync(join(tmpdir(), "tsgun-bench-"));

function tsgun(name: string, ...flags: string[]): CandidateSpec {
  const args = ["dist/cli/main.js", "examples/hello/app.ts:handler", "-w", "1", "-b", "127.0.0.1:PORT"];
  return { name, args: [...args, ...flags] };
}

function logging(format: string): CandidateSpec {
  return tsgun(format, "--access-logfile", join(folder, `${format}.log`), "--access-logformat", format);
}

try {
  const costs = await compare([tsgun(BASELINE), logging("combined"), logging("json")], loadOptions());
  for (const format of ["combined", "json"]) console.log(`\n${ratio(costs, format, BASELINE)}`);
} finally {
  rmSync(folder, { recursive: true });
}
