/** Carries out commands on a server; each outcome is one line. */
import { requestControl } from "../../control/control-client.ts";
import { download, NewFile } from "../../control/download.ts";
import { examinationFile } from "../ctl/examination-text.ts";
import type { Command } from "./state.ts";
import type { Style } from "./style.ts";

export interface Performed {
  readonly text: string;
  readonly style: Style;
}

interface Outcome {
  readonly ok?: unknown;
  readonly message?: unknown;
  readonly error?: unknown;
}

export class Commands {
  /** Files that are not whole yet. */
  readonly #files = new Set<NewFile>();

  /** Waits for the outcome, as long as it takes. */
  async perform(controlSocket: string, command: Command): Promise<Performed> {
    const { doing, method, path, body, file } = command;
    try {
      if (file !== undefined) return await this.#save(controlSocket, command, file);
      const reply = await requestControl(controlSocket, method, path, body);
      const { ok, message } = (reply.body ?? {}) as Outcome;
      if (ok === true) return { text: String(message), style: "good" };
      return { text: `${doing} failed: ${reasonOf(reply)}`, style: "bad" };
    } catch (error) {
      return { text: `${doing} failed: ${(error as Error).message}`, style: "bad" };
    }
  }

  /** Removes the files that are not whole. */
  abandon(): void {
    for (const file of this.#files) file.discard();
  }

  async #save(
    controlSocket: string,
    { doing, path, body }: Command,
    { pid, extension }: NonNullable<Command["file"]>,
  ): Promise<Performed> {
    const file = new NewFile(examinationFile(pid, extension, new Date()));
    this.#files.add(file);
    try {
      const refused = await download(controlSocket, path, body, file);
      if (refused === undefined) {
        file.finish();
        return { text: `${file.path} is written: npx speedscope FILE shows it`, style: "good" };
      }
      file.discard();
      return { text: `${doing} failed: ${reasonOf(refused)}`, style: "bad" };
    } catch (error) {
      file.discard();
      throw error;
    } finally {
      this.#files.delete(file);
    }
  }
}

function reasonOf({ status, body }: { readonly status: number; readonly body: unknown }): string {
  const { error } = (body ?? {}) as Outcome;
  return typeof error === "string" ? error : `status ${status}`;
}
