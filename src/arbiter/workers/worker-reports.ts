/**
 * Reads the reports that a worker writes to its pipe, one JSON line each: requests, its last words, and from its watchdog stalls and the
 * answers to examinations.
 */
import type { Readable } from "node:stream";
import { type ExaminationAnswer, parseExaminationAnswer } from "../../ipc/examination.ts";
import { type LastWords, parseLastWords } from "../../ipc/last-words.ts";
import { parseRequestReport, type RequestReport } from "../../ipc/request-report.ts";
import { parseStallReport, type StallReport } from "../../ipc/stall-report.ts";

/** A longer line is not a report; bounds the memory that a broken worker can take here. */
const MAX_REPORT_CHARACTERS = 1_000_000;

export interface ReportHandlers {
  stall(report: StallReport): void;
  requests(report: RequestReport): void;
  examined(answer: ExaminationAnswer): void;
  lastWords(words: LastWords): void;
}

/** Calls a handler for each complete report. */
export function readWorkerReports(pipe: Readable, handlers: ReportHandlers): void {
  let rest = "";
  pipe.setEncoding("utf8");
  pipe.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() as string;
    if (rest.length > MAX_REPORT_CHARACTERS) rest = "";
    for (const line of lines) handleLine(line, handlers);
  });
  // A killed worker may leave the pipe in any state.
  pipe.on("error", () => {});
}

function handleLine(line: string, handlers: ReportHandlers): void {
  const answer = parseExaminationAnswer(line);
  if (answer !== undefined) {
    handlers.examined(answer);
    return;
  }
  const requests = parseRequestReport(line);
  if (requests !== undefined) {
    handlers.requests(requests);
    return;
  }
  const words = parseLastWords(line);
  if (words !== undefined) {
    handlers.lastWords(words);
    return;
  }
  const stall = parseStallReport(line);
  if (stall !== undefined) handlers.stall(stall);
}
