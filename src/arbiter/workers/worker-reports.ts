/**
 * Reads what a worker writes into its pipe: its watchdog's stall reports and what is said of its requests, one report in
 * a line of JSON.
 */
import type { Readable } from "node:stream";
import { parseRequestReport, type RequestReport } from "../../ipc/request-report.ts";
import { parseStallReport, type StallReport } from "../../ipc/stall-report.ts";

/** No report is longer; what is, is no report. In characters. */
const LONGEST = 1_000_000;

export interface ReportReader {
  stall(report: StallReport): void;
  requests(report: RequestReport): void;
}

/** Calls `reader` with each whole report. */
export function readWorkerReports(pipe: Readable, reader: ReportReader): void {
  let rest = "";
  pipe.setEncoding("utf8");
  pipe.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    if (rest.length > LONGEST) rest = "";
    for (const line of lines) {
      const requests = parseRequestReport(line);
      if (requests !== undefined) reader.requests(requests);
      else {
        const stall = parseStallReport(line);
        if (stall !== undefined) reader.stall(stall);
      }
    }
  });
  // A worker that was killed may leave it in any state.
  pipe.on("error", () => {});
}
