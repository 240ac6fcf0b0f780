/**
 * The outputs that a process has inherited, on which the app prints: when whoever read one has gone, what is printed
 * there is lost, and the process goes on. By itself Node ends it with an error that nobody catches.
 */
import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";
import type { ErrorLog } from "./error-log.ts";

const NAMES = { stdout: "standard output", stderr: "standard error" } as const;

export function outliveOutputs(log: ErrorLog): void {
  for (const name of ["stdout", "stderr"] as const) {
    const property = Object.getOwnPropertyDescriptor(process, name);
    if (property?.get === undefined) continue;
    // Node makes the stream for the first who asks, and most workers have nothing to print.
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
  let told = false;
  stream.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (told) return;
    told = true;
    log.warning(`The ${what} cannot be written (${code ?? message}): what the app prints there is lost`);
  });
}

/**
 * Keeps this process from ending by SIGABRT behind a terminal that has hung up: Node 20 puts the terminal of its
 * standard streams in order at its exit, and aborts where that fails.
 */
export function outliveTerminal(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  if (terminals.length === 0) return;
  process.on("exit", () => {
    for (const descriptor of terminals) {
      if (isatty(descriptor)) continue;
      closeSync(descriptor);
      // The lowest that is free: this one.
      openSync("/dev/null", "r+");
    }
  });
}
