/** Files that a case needs, in one folder that goes with the process. */
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string | undefined;
let count = 0;

/** Makes a file with this content and returns its path. */
export async function scratchFile(content: string): Promise<string> {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), "tsgun-conformance-"));
    process.once("exit", () => rmSync(made, { recursive: true }));
    folder = made;
  }
  count += 1;
  const path = join(folder, `file-${count}`);
  await writeFile(path, content);
  return path;
}
