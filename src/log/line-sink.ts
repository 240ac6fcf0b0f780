/** Where a log's lines go: a file, a descriptor, a syslog server. */

/** gunicorn's levels (Python's), the least important first. */
export const LOG_LEVELS = ["debug", "info", "warning", "error", "critical"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A sink neither throws nor makes a request wait, and what it keeps in memory is bounded. */
export interface LineSink {
  /** Takes one line, without the line feed at its end. */
  write(line: string, level: LogLevel): void;
  /** Resolves when everything taken so far is out, or a second later if that is not to be. Never rejects. */
  flush(): Promise<void>;
  /** Flushes, and gives up what it holds open. Nothing is to be written behind it. */
  close(): Promise<void>;
}
