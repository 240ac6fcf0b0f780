/** The CPU time and memory of a server: all its processes and threads, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** CPU time of a process and its descendants, in nanoseconds. Counts only threads that are alive. */
export function cpuOf(pid: number): number {
  let total = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const task = `/proc/${pid}/task/${thread}`;
    total += Number(readFileSync(`${task}/schedstat`, "utf8").split(" ")[0]);
    const children = readFileSync(`${task}/children`, "utf8").trim();
    for (const child of children === "" ? [] : children.split(" ")) total += cpuOf(Number(child));
  }
  return total;
}

/** Memory of a process and its descendants, in bytes; what several share counts once (PSS). */
export function memoryOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  let total = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) * 1024;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim();
    for (const child of children === "" ? [] : children.split(" ")) total += memoryOf(Number(child));
  }
  return total;
}
