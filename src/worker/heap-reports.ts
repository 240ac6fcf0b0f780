/**
 * Has Node report an exhausted V8 heap into a file that the worker has inherited, by its descriptor. An app finds
 * `process.report` as Node made it: its own settings take the place of these, and its reports are written as it wants
 * them.
 */

/** `excludeNetwork` is newer than the types. */
type Report = NonNullable<NodeJS.Process["report"]> & { excludeNetwork?: boolean };

const OURS = ["directory", "filename", "reportOnFatalError", "excludeNetwork"] as const;
type Settings = Pick<Report, (typeof OURS)[number]>;

/** Does nothing where the user has settings for such reports. Call when the app is loaded. */
export function reportHeap(descriptor: number | undefined): void {
  const report = process.report as Report | undefined;
  if (descriptor === undefined || report === undefined || hasSettings(report)) return;
  const before = settingsOf(report);
  const ours: Settings = {
    directory: "/proc/self/fd",
    filename: String(descriptor),
    reportOnFatalError: true,
    // Node would look up the name of each peer, in a process that is about to end.
    excludeNetwork: true,
  };
  Object.assign(report, ours);
  const giveBack = (): void => {
    Object.assign(report, before);
    Object.defineProperty(process, "report", { value: report, enumerable: true, configurable: true });
  };
  const view = new Proxy(report, {
    get: (target, name) => {
      if (isOurs(name)) return before[name];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? asBefore(member as Call, target, before, ours) : member;
    },
    set: (target, name, value) => {
      giveBack();
      return Reflect.set(target, name, value, target);
    },
  });
  Object.defineProperty(process, "report", { get: () => view, enumerable: true, configurable: true });
}

type Call = (...args: unknown[]) => unknown;

/** The method with the settings that the app knows. */
function asBefore(method: Call, report: Report, before: Settings, ours: Settings): Call {
  return (...args) => {
    Object.assign(report, before);
    try {
      return method.apply(report, args);
    } finally {
      Object.assign(report, ours);
    }
  };
}

function isOurs(name: string | symbol): name is keyof Settings {
  return (OURS as readonly (string | symbol)[]).includes(name);
}

function settingsOf(report: Report): Settings {
  const { directory, filename, reportOnFatalError, excludeNetwork } = report;
  return {
    directory,
    filename,
    reportOnFatalError,
    ...(excludeNetwork !== undefined && { excludeNetwork }),
  };
}

function hasSettings(report: Report): boolean {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ");
  if (flags.includes("--report") || report.reportOnSignal || report.reportOnUncaughtException) return true;
  return report.reportOnFatalError || report.directory !== "" || report.filename !== "";
}
