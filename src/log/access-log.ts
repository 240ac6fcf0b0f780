/** The access log of one worker: one line per request, in the configured format. */
import type { RecordedRequest } from "../ipc/stall-report.ts";
import type { LoggedWorker } from "./access-atoms.ts";
import type { AccessEntry, RequestEnd } from "./access-entry.ts";
import { compileAccessFormat, type LineMaker, type NearestName } from "./access-format.ts";
import { SyslogOutlet } from "./error-log.ts";
import { LineSink, type LineSinkOptions } from "./line-sink.ts";
import type { SyslogOptions } from "./syslog-sink.ts";

export interface AccessLogOptions extends Pick<LineSinkOptions, "target" | "onTrouble" | "onDrop"> {
  /** The name of a preset, or text with atoms. */
  readonly format: string;
  readonly worker: LoggedWorker;
  readonly nearest: NearestName;
  /** Also send each line here. The error log reports an unreachable syslog server. */
  readonly syslog?: SyslogOptions | undefined;
}

export class AccessLog {
  /** The request fields that the format uses, in lower case. */
  readonly requestFields: readonly string[];
  readonly #format: LineMaker;
  readonly #sink: LineSink;
  readonly #syslog: SyslogOutlet | undefined;

  /** @throws AccessFormatError, or a system error if the file cannot be opened */
  constructor({ format, worker, nearest, target, onTrouble, onDrop, syslog }: AccessLogOptions) {
    this.#format = compileAccessFormat(format, worker, nearest);
    this.requestFields = fieldsOf(this.#format);
    this.#sink = new LineSink({ target, onTrouble, onDrop, name: "access log" });
    this.#syslog = syslog === undefined ? undefined : new SyslogOutlet(syslog);
  }

  /** Writes the line of a request. Call once per request. */
  write(entry: AccessEntry): void {
    const line = this.#format(entry);
    this.#sink.write(line);
    // The line has one character per byte.
    this.#syslog?.write(Buffer.from(line, "latin1").toString().trimEnd(), "info");
  }

  /** Reopens the file by name. */
  reopen(): void {
    this.#sink.reopen();
  }

  flush(): void {
    this.#sink.flush();
  }

  /** Call when the process ends: writes all pending lines, waiting briefly for a full pipe. */
  end(): void {
    this.#sink.end();
  }

  /** Flushes and closes syslog, within a second. Later lines go to the file alone. */
  async leaveSyslog(): Promise<void> {
    await this.#syslog?.close();
  }

  /** Writes all pending lines and closes the log. */
  close(): void {
    this.leaveSyslog().catch(() => {});
    this.#sink.close();
  }

  /** Everything that the format needs of a request, as plain data: another process can write the line. */
  record(entry: AccessEntry): RecordedRequest {
    const fields: { [name: string]: string } = {};
    const { time, remote, method, target, protocol, status, bytes, id, trusted } = entry;
    const recorded = { time, remote, method, target, protocol, status, bytes, id, trusted, fields };
    this.#format({
      ...recorded,
      duration: 0,
      end: "complete",
      requestField(name) {
        const value = entry.requestField(name);
        if (value !== undefined) fields[name] = value;
        return value;
      },
      responseField: () => undefined,
    });
    return recorded;
  }
}

/** Formats an empty entry and records which fields the format reads. */
function fieldsOf(make: LineMaker): string[] {
  const names = new Set<string>();
  make({
    ...{ time: 0, duration: 0, remote: "", method: "", target: "", protocol: "", status: 0, bytes: 0 },
    ...{ id: "", end: "complete", trusted: true },
    requestField(name) {
      names.add(name);
      return undefined;
    },
    responseField: () => undefined,
  });
  return [...names];
}

/** The entry of a request that another process recorded. `duration` in milliseconds. */
export function recordedEntry(request: RecordedRequest, duration: number, end: RequestEnd): AccessEntry {
  const { fields, ...known } = request;
  return {
    ...known,
    duration,
    end,
    requestField: (name) => fields[name],
    responseField: () => undefined,
  };
}
