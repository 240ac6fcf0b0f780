/** The access log of one worker: one line for each request that reached it, in the format it was told. */
import type { RecordedRequest } from "../ipc/stall-report.ts";
import type { LoggedWorker } from "./access-atoms.ts";
import type { AccessEntry, RequestEnd } from "./access-entry.ts";
import { compileAccessFormat, type LineMaker, type NearestName } from "./access-format.ts";
import { LineSink, type LineSinkOptions } from "./line-sink.ts";

export interface AccessLogOptions extends Pick<LineSinkOptions, "target" | "onTrouble"> {
  /** A preset's name, or a text with atoms. */
  readonly format: string;
  readonly worker: LoggedWorker;
  readonly nearest: NearestName;
}

export class AccessLog {
  /** The fields of a request that its format names, in lower case. */
  readonly requestFields: readonly string[];
  readonly #make: LineMaker;
  readonly #sink: LineSink;

  /** @throws AccessFormatError, or the system's error when the file cannot be opened */
  constructor({ format, worker, nearest, target, onTrouble }: AccessLogOptions) {
    this.#make = compileAccessFormat(format, worker, nearest);
    this.requestFields = fieldsOf(this.#make);
    this.#sink = new LineSink({ target, onTrouble, name: "access log" });
  }

  /** Writes the line of a request. To be called once for each. */
  write(entry: AccessEntry): void {
    this.#sink.write(this.#make(entry));
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

  /** Writes what there is, and no more. */
  close(): void {
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
