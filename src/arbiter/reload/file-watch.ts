/**
 * Watches what the workers have loaded, for `--reload`, and tells of changes: once for all that change within a
 * moment, as editors, compilers and git write files one after the other, or beside the old one and over it.
 *
 * Not the files but their folders are watched, up to the folder that the server works in, so that a file or a
 * folder that goes and comes back is seen again. What is judged is each file's stamp, not what was reported of it.
 */
import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { type ChokidarOptions, type FSWatcher, watch } from "chokidar";
import { fileStamp } from "../../ipc/file-stamp.ts";
import type { LoadedFile } from "../../ipc/messages.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { ExtraFiles } from "./extra-files.ts";
import { WatchList } from "./watch-list.ts";

/** How long no further file may change before the change is told, in milliseconds. */
const QUIET = 50;

/** How long the watcher may take until it sees a further file, in milliseconds: what goes before that is reported by nobody. */
const LOOKED_AGAIN_AFTER = 1000;

/** How often files are looked at where the system cannot tell of changes, in milliseconds. */
const POLL_INTERVAL = 300;

export interface FileWatchOptions {
  /** The folder that the server works in. */
  readonly folder: string;
  /** `auto` changes from the system's own reports to polling when the system has no more of them to give. */
  readonly engine: "auto" | "poll";
  /** Files to watch besides, as globs from `folder`. */
  readonly extraFiles: readonly string[];
  /** A file that the server itself goes by: its configuration. */
  readonly ownFile: string | undefined;
  readonly log: ErrorLog;
  /** What has changed, as people know it: relative where it is in `folder`. */
  changed(files: readonly string[]): void;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #folder: string;
  readonly #list = new WatchList();
  readonly #extraFiles: ExtraFiles;
  /** The folders on the way to what is watched, with the inode that each had. */
  readonly #folders = new Map<string, number | undefined>();
  /** What has changed and has not been told. */
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #secondLook: NodeJS.Timeout | undefined;
  #polling: boolean;
  #watchers: readonly FSWatcher[] = [];

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#folder = realpathSync(options.folder);
    this.#extraFiles = new ExtraFiles(options.extraFiles, this.#folder, options.ownFile);
    this.#polling = options.engine === "poll";
    this.#start();
  }

  /** Nothing is watched that a worker has loaded: there is nothing whose change could be waited for. */
  get isIdle(): boolean {
    return this.#list.isEmpty;
  }

  /** A worker has loaded files. */
  loaded(generation: number, files: readonly LoadedFile[]): void {
    const fresh = files.map(({ path }) => path).filter((path) => !this.#list.has(path));
    for (const path of this.#list.loaded(generation, files)) this.#tell(path);
    if (fresh.length === 0) return;
    this.#watchers[0]?.add(this.#roots(fresh));
    clearTimeout(this.#secondLook);
    this.#secondLook = setTimeout(() => this.#wait(), LOOKED_AGAIN_AFTER);
  }

  established(generation: number): void {
    this.#list.established(generation);
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#secondLook);
    for (const watcher of this.#watchers) {
      watcher
        .close()
        .catch((error: Error) => this.#options.log.debug(`A watcher did not close: ${error.message}`));
    }
    this.#watchers = [];
  }

  #start(): void {
    const options: ChokidarOptions = {
      ignoreInitial: true,
      usePolling: this.#polling,
      interval: POLL_INTERVAL,
      binaryInterval: POLL_INTERVAL,
    };
    this.#folders.clear();
    const loaded = watch(this.#roots(this.#list.paths()), {
      ...options,
      // A file that changed between its loading and this is found by its stamp.
      ignoreInitial: false,
      ignored: (path) => !this.#list.has(path) && !this.#folders.has(path),
    });
    loaded.on("all", (_event, path) => this.#touch(path));
    loaded.on("raw", (event, name, details) => {
      const { watchedPath = "" } = (details ?? {}) as { watchedPath?: string };
      // One of our folders may be another one now, which the watcher does not look at: it knows it by its name.
      if (event === "rename" && this.#folders.has(join(watchedPath, name ?? ""))) this.#wait();
    });
    loaded.on("ready", () => this.#wait());
    const extra = watch(this.#extraFiles.bases(), { ...options, ignored: this.#extraFiles.ignored });
    extra.on("all", (event, path) => {
      if (!event.endsWith("Dir")) this.#tell(path);
    });
    this.#watchers = [loaded, extra];
    for (const watcher of this.#watchers) watcher.on("error", (error) => this.#fail(error as Error));
  }

  /** Something was reported of a file; only its stamp says whether it has changed. */
  #touch(path: string): void {
    if (this.#list.takeChange(path, fileStamp(path))) this.#tell(path);
  }

  #tell(path: string): void {
    this.#changed.add(path);
    this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#conclude(), QUIET);
  }

  #conclude(): void {
    // Reports come late and one by one: what is under way now belongs to the same change.
    const others = this.#list.paths().filter((path) => this.#list.takeChange(path, fileStamp(path)));
    for (const path of others) this.#changed.add(path);
    if (others.length > 0) {
      this.#wait();
      return;
    }
    const files = [...this.#changed].map((path) => this.#shown(path));
    this.#changed.clear();
    if (files.length > 0) this.#options.changed(files);
    if ([...this.#folders].some(([folder, inode]) => inodeOf(folder) !== inode)) this.#restart();
  }

  #shown(path: string): string {
    return isBelow(path, this.#folder) ? relative(this.#folder, path) : path;
  }

  /** What the watcher has to be told to see `paths`: the highest folders on the way that it does not know. */
  #roots(paths: readonly string[]): string[] {
    // What is not there yet is seen by the folder above.
    return [...new Set(paths.map((path) => this.#root(path)))].filter((root) => existsSync(root));
  }

  #root(path: string): string {
    const top = isBelow(path, this.#folder) ? this.#folder : packageFolder(dirname(path));
    let root = path;
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if (this.#folders.has(folder)) return root;
      this.#folders.set(folder, inodeOf(folder));
      root = folder;
      if (folder === top || folder === dirname(folder)) return root;
    }
  }

  #fail(error: Error): void {
    const { log, engine } = this.#options;
    const { code } = error as NodeJS.ErrnoException;
    const exhausted = code === "ENOSPC" || code === "EMFILE";
    if (!exhausted || this.#polling) {
      log.warning(`A file cannot be watched: ${error.message}`);
      return;
    }
    if (engine !== "auto") return;
    log.warning(
      `The system reports no more changes of files (${code}): they are looked at every ${POLL_INTERVAL} ms`,
    );
    this.#polling = true;
    this.#restart();
  }

  #restart(): void {
    this.close();
    this.#start();
  }
}

/** Undefined for a folder that is not there. */
function inodeOf(folder: string): number | undefined {
  try {
    return statSync(folder, { throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** The nearest folder at or above that is a package, else `folder` itself. */
function packageFolder(folder: string): string {
  for (let candidate = folder; candidate !== dirname(candidate); candidate = dirname(candidate)) {
    if (existsSync(join(candidate, "package.json"))) return candidate;
  }
  return folder;
}
