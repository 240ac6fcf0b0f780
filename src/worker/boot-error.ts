/** Errors that keep a worker from booting, and their report to the arbiter. */
import { createRequire } from "node:module";
import { ExitCode, FatalError } from "../errors.ts";
import type { BootFailure } from "../ipc/messages.ts";

/** The app's `startup` failed. */
export class StartupError extends FatalError {
  override readonly name = "StartupError";

  constructor(cause: unknown) {
    super(`the app's startup failed: ${firstLine(cause)}`, ExitCode.workerBoot, { cause });
  }
}

/** A hook that the boot depends on failed. */
export class HookFailure extends FatalError {
  override readonly name = "HookFailure";

  constructor(hook: string, cause: unknown) {
    super(`the hook ${hook} failed: ${firstLine(cause)}`, ExitCode.workerBoot, { cause });
  }
}

/** Describes a boot error for the arbiter: one line, the stack of the app's own error if any, and the exit code. */
export function describeBootError(error: unknown): { failure: BootFailure; exitCode: ExitCode } {
  // Load node:util late: only a failed boot needs it.
  const { inspect } = createRequire(import.meta.url)("node:util") as typeof import("node:util");
  if (!(error instanceof FatalError)) {
    const message = `the worker failed to boot: ${firstLine(error)}`;
    return { failure: { kind: "startup", message, stack: inspect(error) }, exitCode: ExitCode.workerBoot };
  }
  const { exitCode, message, cause } = error;
  const kind = exitCode === ExitCode.appLoad ? "load" : "startup";
  const failure: BootFailure =
    cause === undefined ? { kind, message } : { kind, message, stack: inspect(cause) };
  return { failure, exitCode };
}

/** An error's message, or the thrown value itself, cut to one line. */
function firstLine(thrown: unknown): string {
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return text.split("\n", 1)[0] as string;
}
