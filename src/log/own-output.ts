/**
 * Keeps the process alive when the reader of its standard output or error goes away: the app's output is lost, and the
 * process continues. By default Node ends it with an uncaught error.
 */
import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";
import type { ErrorLog } from "./error-log.ts";

const NAMES = { stdout: "standard output", stderr: "standard error" } as const;

export function surviveBrokenOutputs(log: ErrorLog): void {
  for (const name of ["stdout", "stderr"] as const) {
    const property = Object.getOwnPropertyDescriptor(process, name);
    if (property?.get === undefined) continue;
    // Node creates the stream on first access, and most workers print nothing.
    const get = (): NodeJS.WriteStream => {
      Object.defineProperty(process, name, property);
      const stream = process[name];
      watch(stream, NAMES[name], log);
      return stream;
    };
    Object.defineProperty(process, name, { ...property, get });
  }
}

function watch(stream: NodeJS.WriteStream, what: string, log: ErrorLog): void {
  let reported = false;
  stream.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (reported) return;
    reported = true;
    log.warning(`The ${what} cannot be written (${code ?? message}): the app's output to it is lost`);
  });
}

/**
 * Prevents a SIGABRT at exit after the terminal hung up: Node 20 restores the terminal modes of its standard streams at
 * exit, and aborts if that fails.
 */
export function surviveTerminalHangUp(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  if (terminals.length === 0) return;
  process.on("exit", () => {
    for (const descriptor of terminals) {
      if (isatty(descriptor)) continue;
      closeSync(descriptor);
      // open() returns the lowest free descriptor: the one just closed.
      openSync("/dev/null", "r+");
    }
  });
}
