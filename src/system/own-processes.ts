/** The processes of this user that have a certain title, from /proc. */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

export interface OwnProcess {
  readonly pid: number;
  /** The kernel cuts it to the length of the original command line. */
  readonly title: string;
  /** The working folder; undefined if it cannot be read. */
  readonly folder: string | undefined;
  /** The environment that it was started with; empty if it may not be read, as of a process with capabilities. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Length of a process's short name (comm), which the title sets too. */
const SHORT_NAME_LENGTH = 15;

/**
 * Lists the processes whose title begins with `start`. Empty on a system without /proc.
 *
 * @param root the folder that contains /proc
 */
export function ownProcesses(start: string, root = "/"): OwnProcess[] {
  const name = start.slice(0, SHORT_NAME_LENGTH).trimEnd();
  return processIds(`${root}/proc`).flatMap((pid) => {
    const folder = `${root}/proc/${pid}`;
    // Other users' processes may have any title. The owner of the folder is the effective user of the process.
    try {
      if (statSync(folder).uid !== process.geteuid?.()) return [];
      if (!read(`${folder}/comm`).startsWith(name)) return [];
      return [describe(pid, folder)];
    } catch {
      // It has ended.
      return [];
    }
  });
}

function processIds(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function describe(pid: number, folder: string): OwnProcess {
  const [title = ""] = read(`${folder}/cmdline`).split("\0");
  return { pid, title, folder: workingFolder(folder), environment: parseEnvironment(`${folder}/environ`) };
}

function parseEnvironment(file: string): Record<string, string> {
  const pairs = readIfAllowed(file).split("\0").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.replace(/=.*$/s, ""), pair.replace(/^[^=]*=?/s, "")]));
}

function workingFolder(folder: string): string | undefined {
  try {
    return readlinkSync(`${folder}/cwd`);
  } catch {
    return undefined;
  }
}

function readIfAllowed(file: string): string {
  try {
    return read(file);
  } catch {
    return "";
  }
}

function read(file: string): string {
  return readFileSync(file, "utf8");
}
