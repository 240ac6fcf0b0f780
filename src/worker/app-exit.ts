/**
 * An app that ends its process by `process.exit()` leaves nothing behind but a code. While Node tells of the end, the
 * code that asked for it is still on the stack.
 */
import { displayed } from "../loader/locate.ts";
import { isOurs, userFrame, userStack } from "../loader/user-frame.ts";

export interface AppExit {
  readonly code: number;
  /** The line of the app that asked for the end; undefined where only a timer did, say. */
  readonly place: string | undefined;
  /** The frames of the app. */
  readonly stack: string;
}

/** So many frames are looked at: the app's may lie below those of packages. */
const FRAMES = 50;

/** Calls `tell` when the app ends this process: not where this server does, or Node for want of anything to do. */
export function watchExit(tell: (exit: AppExit) => void): void {
  const onExit = (code: number): void => {
    const error = errorAbove(onExit, `process.exit(${code})`);
    const isCalled = /^ +at process\.(?:exit|reallyExit) /m.test(error.stack ?? "");
    if (!isCalled || isOurs(error)) return;
    const frame = userFrame(error);
    const place = frame && `${displayed(frame.file, process.cwd())}:${frame.line}`;
    tell({ code, place, stack: userStack(error) });
  };
  process.on("exit", onExit);
}

/** "the app called process.exit(0) while it was loaded (at app.ts:3)" */
export function describeExit({ code, place }: AppExit, when: string): string {
  return `the app called process.exit(${code}) ${when}${place === undefined ? "" : ` (at ${place})`}`;
}

/** An error with the stack of whoever called the function. */
function errorAbove(called: (code: number) => void, message: string): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  const error = new Error(message);
  Error.captureStackTrace(error, called);
  // It is made text now.
  void error.stack;
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}
