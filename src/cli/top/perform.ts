/** Carries out a command on a server; its outcome is one line. */
import { requestControl } from "../../control/control-client.ts";
import type { Command } from "./state.ts";
import type { Style } from "./style.ts";

export interface Performed {
  readonly text: string;
  readonly style: Style;
}

/** Waits for the outcome, as long as it takes. */
export async function perform(controlSocket: string, command: Command): Promise<Performed> {
  const { doing, method, path, body } = command;
  try {
    const reply = await requestControl(controlSocket, method, path, body);
    const outcome = (reply.body ?? {}) as {
      readonly ok?: unknown;
      readonly message?: unknown;
      readonly error?: unknown;
    };
    if (outcome.ok === true) return { text: String(outcome.message), style: "good" };
    const reason = typeof outcome.error === "string" ? outcome.error : `status ${reply.status}`;
    return { text: `${doing} failed: ${reason}`, style: "bad" };
  } catch (error) {
    return { text: `${doing} failed: ${(error as Error).message}`, style: "bad" };
  }
}
