/** The lines of the log that the faults explain. Any other warning or error is a finding. */

/** Lines at WARNING and above that these faults may cause, in the words that tsgun's docs use. */
const EXPLAINED: readonly RegExp[] = [
  // Ends of workers, each with its record.
  /Worker \(pid: \d+\) (was killed by|exited with|ran out of|failed to boot|has ended|was told)/,
  /Worker \(pid: \d+\) uses \S+ of memory/,
  /WORKER TIMEOUT \(pid: \d+\)/,
  /Worker \(pid: \d+\) (did not stop in time|was not ready within|is not given time)/,
  /Worker \(pid: \d+\) has not finished within --graceful-timeout/,
  /Worker \d+: the (event loop|native call)/,
  /Uncaught exception: the worker exits/,
  /Possible cause of the crashes: /,
  /few of them connections/,
  /This worker has \d+ of \d+ file descriptors open/,
  /The error log \S+ (cannot be written \(ENOSPC\)|can be written again)/,
  // Reloads and upgrades that fail.
  /Reload failed, generation \d+ stays: /,
  /[Uu]pgrade/,
  // A new arbiter whose app does not boot.
  /Exception in worker process/,
  /Reason: the app called process\.exit\(7\) (in its startup|while it was loaded)/,
  // Descriptors may be used up before a worker of the new arbiter can open its program.
  /Reason: a worker exited with code 1 while Node started/,
  /Reason: (a worker was|cannot load app\.mjs: syntax error|.*the database is away)/,
  /new arbiter/i,
  // The clock was set back.
  /certfile: \S+ is not valid before /,
];

const SERIOUS = /^\[[^\]]+\] \[\d+\] \[(WARNING|ERROR|CRITICAL)\] (.*)$/;

/** Returns the warnings and errors that nothing explains, without repetitions of their kind. */
export function unexplainedLines(log: string): string[] {
  const found = new Map<string, string>();
  for (const line of log.split("\n")) {
    const text = SERIOUS.exec(line)?.[2];
    if (text === undefined || EXPLAINED.some((pattern) => pattern.test(text))) continue;
    const kind = text.replace(/\d+/g, "N");
    if (!found.has(kind)) found.set(kind, line);
  }
  return [...found.values()];
}
