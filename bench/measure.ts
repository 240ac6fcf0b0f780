/** Shared by all benchmarks: tool checks and the median. */
import { spawnSync } from "node:child_process";

/** Exits with a line that says what to install if the tool is missing. */
export function requireTool(tool: string, packages: string): void {
  if (spawnSync("which", [tool]).status === 0) return;
  console.error(`bench: ${tool} is missing; install it with: apt-get install ${packages}`);
  process.exit(1);
}

/** For an even number of values returns the upper of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}
