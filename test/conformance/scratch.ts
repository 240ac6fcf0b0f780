/** Temporary files for cases, in one folder that is removed after the last test. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

let folder: Promise<string> | undefined;
let count = 0;

after(async () => {
  if (folder !== undefined) await rm(await folder, { recursive: true });
});

/** Creates a file with this content and returns its path. */
export async function scratchFile(content: string): Promise<string> {
  folder ??= mkdtemp(join(tmpdir(), "tsgun-conformance-"));
  count += 1;
  const path = join(await folder, `file-${count}`);
  await writeFile(path, content);
  return path;
}
