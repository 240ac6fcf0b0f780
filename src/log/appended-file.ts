/**
 * Opens log files by name. Follows symbolic links only if this user or root made them: in a folder that others can
 * write to, a name may be another user's link to any file that this process can write.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
} from "node:fs";
import { dirname, isAbsolute } from "node:path";

/** Nothing for other users: targets of requests and errors of the app may hold what is secret. */
const FILE_MODE = 0o640;
const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

const LINE_FEED = 0x0a;

/** Linux's own limit (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Opens a file for appending and creates it if it is missing. Never blocks, not even on a pipe without a reader.
 *
 * @throws a system error, or an error that names another user's symbolic link
 */
export function openAppending(file: string): number {
  const { path, isKernels } = followLinks(file);
  return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | (isKernels ? 0 : O_NOFOLLOW), FILE_MODE);
}

/**
 * Whether a regular file ends inside a line, as a full disk leaves it; undefined if that cannot be read. Opens the file
 * again through /proc, since its name may lead to another one by now.
 *
 * @param fd open for writing
 */
export function endsInsideLine(fd: number): boolean | undefined {
  let reader: number | undefined;
  try {
    if (fstatSync(fd).size === 0) return false;
    reader = openSync(`/proc/self/fd/${fd}`, O_RDONLY | O_NONBLOCK);
    const last = Buffer.alloc(1);
    const length = readSync(reader, last, 0, 1, fstatSync(reader).size - 1);
    return length === 1 && last[0] !== LINE_FEED;
  } catch {
    return undefined;
  } finally {
    if (reader !== undefined) closeSync(reader);
  }
}

/**
 * Resolves the symbolic links at the end of a path.
 *
 * @throws Error when one of them is neither this user's nor root's
 */
export function followLinks(file: string): {
  readonly path: string;
  /** The path leads into /proc, such as `/dev/fd/1`: only the kernel can resolve it. */
  readonly isKernels: boolean;
} {
  let path = file;
  for (let followed = 0; followed < MAX_LINKS; followed++) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (!stats?.isSymbolicLink()) return { path, isKernels: false };
    const folder = realpathSync(dirname(path));
    if (folder.startsWith("/proc/")) return { path, isKernels: true };
    if (!isTrusted(stats.uid)) {
      throw new Error(
        `the symbolic link ${path} is another user's (uid ${stats.uid}): remove it, or name another file`,
      );
    }
    const target = readlinkSync(path);
    path = isAbsolute(target) ? target : `${folder}/${target}`;
  }
  throw new Error(`${file} leads through more than ${MAX_LINKS} symbolic links`);
}

function isTrusted(uid: number): boolean {
  return process.geteuid === undefined || uid === 0 || uid === process.geteuid();
}
