/**
 * How full the control group of this process is, and the groups above it: the memory that the kernel cannot take back, and
 * the limit at which it kills a process (`memory.max`, version 1: `memory.limit_in_bytes`) or slows all down (`memory.high`).
 */
import { join } from "node:path";
import { type Cgroup, cgroupOf, readText } from "./cgroup.ts";

export interface GroupUse {
  /** The group's folder. */
  readonly folder: string;
  /** Bytes without the file cache that is not in use. */
  readonly used: number;
  /** Bytes. */
  readonly limit: number;
  /** The kernel's action at the limit. */
  readonly atLimit: "kills" | "slows";
}

interface Limited {
  readonly folder: string;
  readonly limit: number;
  readonly atLimit: GroupUse["atLimit"];
}

/** The files of each version: sizes in bytes, and the line of `memory.stat` with the cache that is not in use. */
const FILES = {
  1: {
    limits: [["memory.limit_in_bytes", "kills"]],
    used: "memory.usage_in_bytes",
    cache: "total_inactive_file",
  },
  2: {
    limits: [
      ["memory.max", "kills"],
      ["memory.high", "slows"],
    ],
    used: "memory.current",
    cache: "inactive_file",
  },
} as const;

/** Version 1 reports no limit as the largest number of pages. */
const NO_LIMIT = 2 ** 60;

export class GroupMemory {
  readonly #group: Cgroup | undefined;
  #limited: readonly Limited[] = [];

  /** @param root the folder that contains /proc and the mounts */
  constructor(root = "/") {
    this.#group = cgroupOf("memory", root);
    this.findLimits();
  }

  get isLimited(): boolean {
    return this.#limited.length > 0;
  }

  /** Reads the limits anew: they may be changed at any time. */
  findLimits(): void {
    const { folders, version } = this.#group ?? { folders: [], version: 2 as const };
    this.#limited = folders.flatMap((folder) =>
      FILES[version].limits.flatMap(([name, atLimit]): Limited[] => {
        const limit = bytesIn(join(folder, name));
        return limit > 0 && limit < NO_LIMIT ? [{ folder, limit, atLimit }] : [];
      }),
    );
  }

  /** The fullest of those that are at least full to `share`, from 0 to 1; undefined if none is. */
  fullerThan(share: number): GroupUse | undefined {
    let fullest: GroupUse | undefined;
    for (const limited of this.#limited) {
      const used = this.#usedOf(limited, share);
      if (used === undefined || (fullest && used / limited.limit <= fullest.used / fullest.limit)) continue;
      fullest = { ...limited, used };
    }
    return fullest;
  }

  #usedOf({ folder, limit }: Limited, share: number): number | undefined {
    const { used, cache } = FILES[this.#group?.version ?? 2];
    const all = bytesIn(join(folder, used));
    // The kernel adds up the other file's numbers when it is read.
    if (!(all >= limit * share)) return undefined;
    const line = new RegExp(`^${cache} (\\d+)$`, "m").exec(readText(join(folder, "memory.stat")) ?? "");
    const rest = all - Number(line?.[1] ?? 0);
    return rest >= limit * share ? rest : undefined;
  }
}

/** NaN if there is no number. */
function bytesIn(path: string): number {
  return Number.parseInt(readText(path) ?? "", 10);
}
