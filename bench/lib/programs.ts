/**
 * Finds programs: in the folder of `npm run bench:install` (or the one that TSGUN_BENCH_SERVERS names), then in PATH.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Missing } from "./server.ts";

export const ROOT = join(import.meta.dirname, "..", "..");
export const APPS = join(ROOT, "bench", "apps");

/** Where `npm run bench:install` puts the servers that npm has. */
export const SERVERS_FOLDER = process.env.TSGUN_BENCH_SERVERS ?? join(ROOT, ".cache", "bench");

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The path of a program, or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [
    join(SERVERS_FOLDER, "node_modules", ".bin"),
    join(SERVERS_FOLDER, "bin"),
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
  ];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** The path of a program; where it is missing, says how to install it. */
export function requireProgram(name: string, install: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Missing(`${name} is missing: ${install}`);
  return path;
}

/** The first thing that looks like a version in what a program prints. */
export function versionOf(program: string, ...args: string[]): string {
  const output = execFileSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 10_000,
  });
  return /\d+\.\d+[\w.-]*/.exec(output)?.[0] ?? "unknown";
}
