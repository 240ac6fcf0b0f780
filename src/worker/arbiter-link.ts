/** The messages of this worker to the arbiter. */
import { seal } from "../ipc/envelope.ts";
import type { FromWorker } from "../ipc/messages.ts";
import { describeBootError } from "./boot-error.ts";

/** Sends if the arbiter is connected. Calls `sent` either way. */
export function send(message: FromWorker, sent: () => void = () => {}): void {
  if (process.connected) process.send?.(seal(message), undefined, undefined, sent);
  else sent();
}

/** Reports the boot error to the arbiter and exits. */
export function failBoot(error: unknown): void {
  const { failure, exitCode } = describeBootError(error);
  send({ type: "failed", ...failure }, () => process.exit(exitCode));
}
