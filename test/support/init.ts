/** `tsgun init` through the built command, to its end, in a project that a test makes. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { COMMAND, temporaryFolder } from "./command.ts";

const ROOT = join(import.meta.dirname, "..", "..");

export function initialise(folder: string, ...words: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [COMMAND, "init", ...words], {
    cwd: folder,
    encoding: "utf8",
    input: "",
    timeout: 30_000,
  });
}

/** Writes files, and puts tsgun among the packages. */
export function fillProject(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  mkdirSync(join(folder, "node_modules", ".bin"), { recursive: true });
  symlinkSync(ROOT, join(folder, "node_modules", "tsgun"));
  symlinkSync("../tsgun/dist/cli/main.js", join(folder, "node_modules", ".bin", "tsgun"));
}

/** A folder with these files, removed with the test. */
export function projectOf(test: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(test);
  fillProject(folder, files);
  return folder;
}
