/** Reads the files that `tsgun doctor` checks. */
import { readFileSync } from "node:fs";
import { ExitCode, FatalError } from "../../errors.ts";

/** @throws FatalError (usage) when the file cannot be read. */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = { ENOENT: "there is no such file", EISDIR: "it is a folder", EACCES: "no permission" }[
      code ?? ""
    ];
    throw new FatalError(`cannot read ${file}: ${why ?? code}`, ExitCode.usage, { cause });
  }
}
