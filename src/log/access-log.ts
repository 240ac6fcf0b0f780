/** The access log of one worker: one line for each request that reached it, in the format it was told. */
import type { RecordedRequest } from "../ipc/stall-report.ts";
import type { LoggedWorker } from "./access-atoms.ts";
import type { AccessEntry, RequestEnd } from "./access-entry.ts";
import { compileAccessFormat, type LineMaker, type NearestName } from "./access-format.ts";
import { SyslogOutlet } from "./error-log.ts";
import { LineSink, type LineSinkOptions } from "./line-sink.ts";
import type { SyslogOptions } from "./syslog-sink.ts";

export interface AccessLogOptions extends Pick<LineSinkOptions, "target" | "onTrouble"> {
  /** A preset's name, or a text with atoms. */
  readonly format: string;
  readonly worker: LoggedWorker;
  readonly nearest: NearestName;
  /** Where each line goes as well. That the server is away is the error log's news. */
  readonly syslog?: SyslogOptions | undefined;
}

export class AccessLog {
  /** The fields of a request that its format names, in lower case. */
  readonly requestFields: readonly string[];
  readonly #make: LineMaker;
  readonly #sink: LineSink;
  readonly #syslog: SyslogOutlet | undefined;

  /** @throws AccessFormatError, or the system's error when the file cannot be opened */
  constructor({ format, worker, nearest, target, onTrouble, syslog }: AccessLogOptions) {
    this.#make = compileAccessFormat(format, worker, nearest);
    this.requestFields = fieldsOf(this.#make);
    this.#sink = new LineSink({ target, onTrouble, name: "access log" });
    this.#syslog = syslog === undefined ? undefined : new SyslogOutlet(syslog);
  }

  /** Writes the line of a request. To be called once for each. */
  write(entry: AccessEntry): void {
    const line = this.#make(entry);
    this.#sink.write(line);
    // Its characters are bytes.
    this.#syslog?.write(Buffer.from(line, "latin1").toString().trimEnd(), "info");
  }

  /** Opens the file by its name again. */
  reopen(): void {
    this.#sink.reopen();
  }

  flush(): void {
    this.#sink.flush();
  }

  /** For the end of the process: gets out what there is, waiting a little for a full pipe. */
  end(): void {
    this.#sink.end();
  }

  /** Resolves when syslog has what there is, a second later at most. Lines behind it go to the file alone. */
  async leaveSyslog(): Promise<void> {
    await this.#syslog?.close();
  }

  /** Writes what there is, and no more. */
  close(): void {
    void this.leaveSyslog();
    this.#sink.close();
  }

  /** All that the format asks of a request, as plain data: for somebody else to write its line. */
  record(entry: AccessEntry): RecordedRequest {
    const fields: { [name: string]: string } = {};
    const { time, remote, method, target, protocol, status, bytes, id, trusted } = entry;
    const recorded = { time, remote, method, target, protocol, status, bytes, id, trusted, fields };
    this.#make({
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

/** Asked for a line of nothing, a format shows what it looks for. */
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

/** The entry of a request that somebody else recorded. `duration` in milliseconds. */
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
