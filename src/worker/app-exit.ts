/**
 * Reports where an app called `process.exit()`, which otherwise leaves only an exit code. Node's `exit` event is
 * emitted while the caller is still on the stack.
 */
import { displayed } from "../loader/locate.ts";
import { isOurs, userFrame, userStack } from "../loader/user-frame.ts";

export interface AppExit {
  readonly code: number;
  /** File and line of the caller in the app; undefined without a frame of user code. */
  readonly place: string | undefined;
  /** The stack without frames of tsgun and Node. */
  readonly stack: string;
}

/** Depth of the stack to capture: the app's frames may lie below those of packages. */
const FRAMES = 50;

/** Calls `onAppExit` when the app calls process.exit(); not when tsgun does, nor when Node exits with nothing left to do. */
export function watchAppExit(onAppExit: (exit: AppExit) => void): void {
  const onExit = (code: number): void => {
    const error = errorAbove(onExit, `process.exit(${code})`);
    const isCalled = /^ +at process\.(?:exit|reallyExit) /m.test(error.stack ?? "");
    if (!isCalled || isOurs(error)) return;
    const frame = userFrame(error);
    const place = frame && `${displayed(frame.file, process.cwd())}:${frame.line}`;
    onAppExit({ code, place, stack: userStack(error) });
  };
  process.on("exit", onExit);
}

/** "the app called process.exit(0) while it was loaded (at app.ts:3)" */
export function describeExit({ code, place }: AppExit, when: string): string {
  return `the app called process.exit(${code}) ${when}${place === undefined ? "" : ` (at ${place})`}`;
}

/** An error with the stack of the caller of `called`. */
function errorAbove(called: (code: number) => void, message: string): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  const error = new Error(message);
  Error.captureStackTrace(error, called);
  // Reading `stack` formats it now, while the limit still applies.
  error.stack = String(error.stack);
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}
