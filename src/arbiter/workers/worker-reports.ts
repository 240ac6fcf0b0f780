/** Reads the reports that a worker writes to its pipe, one JSON line each: stalls, from its watchdog, and requests. */
import type { Readable } from "node:stream";
import { parseRequestReport, type RequestReport } from "../../ipc/request-report.ts";
import { parseStallReport, type StallReport } from "../../ipc/stall-report.ts";

/** A longer line is not a report; bounds the memory that a broken worker can take here. */
const MAX_REPORT_CHARACTERS = 1_000_000;

export interface ReportHandlers {
  stall(report: StallReport): void;
  requests(report: RequestReport): void;
}

/** Calls a handler for each complete report. */
export function readWorkerReports(pipe: Readable, handlers: ReportHandlers): void {
  let rest = "";
  pipe.setEncoding("utf8");
  pipe.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    if (rest.length > MAX_REPORT_CHARACTERS) rest = "";
    for (const line of lines) {
      const requests = parseRequestReport(line);
      if (requests !== undefined) handlers.requests(requests);
      else {
        const stall = parseStallReport(line);
        if (stall !== undefined) handlers.stall(stall);
      }
    }
  });
  // A killed worker may leave the pipe in any state.
  pipe.on("error", () => {});
}
