/** Sets up the logs, the scoreboard and the user of a worker's process, before any code of the app runs. */
import { processTitle } from "../config/process-title.ts";
import type { Config } from "../config/settings.ts";
import type { LastWords } from "../ipc/last-words.ts";
import type { Assignment } from "../ipc/messages.ts";
import type { AccessLog } from "../log/access-log.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { errorLogOptions } from "../log/log-settings.ts";
import { surviveBrokenOutputs } from "../log/own-output.ts";
import type { AppExit } from "./app-exit.ts";
import { watchLastWords } from "./last-words.ts";
import { openAccessLog } from "./open-access-log.ts";
import { WorkerScoreboard } from "./scoreboard.ts";

export interface PreparedProcess {
  /** Undefined if nothing is counted. */
  readonly board: WorkerScoreboard | undefined;
  readonly accessLog: AccessLog | undefined;
}

/** @param onAppExit called when the app calls process.exit() */
export async function prepareProcess(
  assignment: Assignment<Config>,
  log: ErrorLog,
  onAppExit: (exit: AppExit) => void,
): Promise<PreparedProcess> {
  const { settings, slot, generation } = assignment;
  const board = WorkerScoreboard.open(assignment, log);
  const leaveNote = (words: LastWords): void => board?.leaveNote(words);
  watchLastWords(assignment.reports, log, leaveNote, onAppExit);
  log.configure(errorLogOptions(settings, assignment.errorLog, { slot, generation }));
  surviveBrokenOutputs(log);
  if (settings.captureOutput) (await import("../log/captured-output.ts")).captureOutput(log);
  process.title = processTitle(`worker ${slot}`, settings);
  // Open the log before dropping root: standard output may be a pipe that belongs to root.
  const accessLog = await openAccessLog(assignment, log, () => board?.meter.logDropped("access"));
  const { identity } = assignment;
  // Loaded only if asked for, and before anything else that is not the server's own.
  if (Object.keys(identity).length > 0) (await import("./privileges.ts")).dropPrivileges(identity);
  return { board, accessLog };
}
