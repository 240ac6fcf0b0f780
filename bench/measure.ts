/** What every measurement needs: its tools, and one figure for many. */
import { spawnSync } from "node:child_process";

/** Ends the program with a line that says what to install when the tool is not there. */
export function requireTool(tool: string, packages: string): void {
  if (spawnSync("which", [tool]).status === 0) return;
  console.error(`bench: ${tool} is missing; install it with: apt-get install ${packages}`);
  process.exit(1);
}

/** The upper one of the two in the middle, where there are two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
