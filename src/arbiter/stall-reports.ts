/** Reads what the watchdogs of the workers write: one report in a line of JSON, through a pipe for each worker. */
import type { Readable } from "node:stream";
import { parseStallReport, type StallReport } from "../ipc/stall-report.ts";

/** No report is longer; what is, is no report. In characters. */
const LONGEST = 1_000_000;

/** Calls `tell` with each whole report. */
export function readStallReports(pipe: Readable, tell: (report: StallReport) => void): void {
  let rest = "";
  pipe.setEncoding("utf8");
  pipe.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    if (rest.length > LONGEST) rest = "";
    for (const line of lines) {
      const report = parseStallReport(line);
      if (report !== undefined) tell(report);
    }
  });
  // A worker that was killed may leave it in any state.
  pipe.on("error", () => {});
}
