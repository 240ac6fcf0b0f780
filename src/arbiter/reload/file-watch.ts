/**
 * Watches the files that the workers have loaded, for `--reload`, and reports changes. Changes in quick succession are
 * one report: editors, compilers and git write files one after the other, or write a new file and rename it.
 *
 * It watches the folders of the files, up to the server's working folder, so that a file or folder that is removed
 * and recreated is noticed. The stamp of a file decides whether it has changed, not the event.
 */
import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { type ChokidarOptions, type FSWatcher, watch } from "chokidar";
import { fileStamp } from "../../ipc/file-stamp.ts";
import type { LoadedFile } from "../../ipc/messages.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import { ExtraFiles } from "./extra-files.ts";
import { WatchList } from "./watch-list.ts";

/** Report changes when no further file has changed for this long. */
const QUIET_MS = 50;

/** The watcher may need this long to see a new file, and never reports earlier changes: check the stamps again then. */
const SECOND_CHECK_MS = 1000;

/** Polling interval where the system cannot report changes. */
const POLL_INTERVAL_MS = 300;

export interface FileWatchOptions {
  /** The server's working folder. */
  readonly folder: string;
  /** `auto` falls back from system events to polling when the system runs out of watches. */
  readonly engine: "auto" | "poll";
  /** Additional files to watch, as globs relative to `folder`. */
  readonly extraFiles: readonly string[];
  /** The files that the server itself reads, such as its configuration file. They may be missing. */
  readonly ownFiles: readonly string[];
  readonly log: ErrorLog;
  /** Called with the changed files, relative to `folder` if they are in it. */
  changed(files: readonly string[]): void;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #folder: string;
  readonly #list = new WatchList();
  readonly #extraFiles: ExtraFiles;
  /** The parent folders of the watched files, with their inodes. */
  readonly #folders = new Map<string, number | undefined>();
  /** Changed files that have not been reported. */
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #secondCheck: NodeJS.Timeout | undefined;
  #isPolling: boolean;
  #watchers: readonly FSWatcher[] = [];

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#folder = realpathSync(options.folder);
    this.#extraFiles = new ExtraFiles(options.extraFiles, this.#folder, options.ownFiles);
    this.#isPolling = options.engine === "poll";
    this.#start();
  }

  /** No file loaded by a worker is watched, so there is no change to wait for. */
  get isIdle(): boolean {
    return this.#list.isEmpty;
  }

  /** A worker has loaded files. */
  loaded(generation: number, files: readonly LoadedFile[]): void {
    const fresh = files.map(({ path }) => path).filter((path) => !this.#list.has(path));
    for (const path of this.#list.loaded(generation, files)) this.#addChange(path);
    if (fresh.length === 0) return;
    this.#watchers[0]?.add(this.#roots(fresh));
    clearTimeout(this.#secondCheck);
    this.#secondCheck = setTimeout(() => this.#schedule(), SECOND_CHECK_MS);
  }

  established(generation: number): void {
    this.#list.established(generation);
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#secondCheck);
    for (const watcher of this.#watchers) {
      watcher
        .close()
        .catch((error: Error) => this.#options.log.debug(`The file watcher did not close: ${error.message}`));
    }
    this.#watchers = [];
  }

  #start(): void {
    const options: ChokidarOptions = {
      ignoreInitial: true,
      usePolling: this.#isPolling,
      interval: POLL_INTERVAL_MS,
      binaryInterval: POLL_INTERVAL_MS,
    };
    this.#folders.clear();
    const loaded = watch(this.#roots(this.#list.paths()), {
      ...options,
      // The stamp reveals a file that changed between its loading and now.
      ignoreInitial: false,
      ignored: (path) => !this.#list.has(path) && !this.#folders.has(path),
    });
    loaded.on("all", (_event, path) => this.#checkFile(path));
    loaded.on("raw", (event, name, details) => {
      const { watchedPath = "" } = (details ?? {}) as { watchedPath?: string };
      // A folder may have been replaced by another of the same name, which the watcher does not notice.
      if (event === "rename" && this.#folders.has(join(watchedPath, name ?? ""))) this.#schedule();
    });
    loaded.on("ready", () => this.#schedule());
    const extra = watch(this.#extraFiles.bases(), { ...options, ignored: this.#extraFiles.ignored });
    extra.on("all", (event, path) => {
      if (!event.endsWith("Dir")) this.#addChange(path);
    });
    this.#watchers = [loaded, extra];
    for (const watcher of this.#watchers) watcher.on("error", (error) => this.#handleError(error as Error));
  }

  /** Handles an event for a file; only its stamp decides whether it has changed. */
  #checkFile(path: string): void {
    if (this.#list.recordChange(path, fileStamp(path))) this.#addChange(path);
  }

  #addChange(path: string): void {
    this.#changed.add(path);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#report(), QUIET_MS);
  }

  #report(): void {
    // Events arrive late and one by one: files that have changed by now belong to the same change.
    const others = this.#list.paths().filter((path) => this.#list.recordChange(path, fileStamp(path)));
    for (const path of others) this.#changed.add(path);
    if (others.length > 0) {
      this.#schedule();
      return;
    }
    const files = [...this.#changed].map((path) => this.#displayName(path));
    this.#changed.clear();
    if (files.length > 0) this.#options.changed(files);
    if ([...this.#folders].some(([folder, inode]) => inodeOf(folder) !== inode)) this.#restart();
  }

  #displayName(path: string): string {
    return isBelow(path, this.#folder) ? relative(this.#folder, path) : path;
  }

  /** The roots to watch to see `paths`: the highest folders above them that are not watched yet. */
  #roots(paths: readonly string[]): string[] {
    // A path that does not exist yet is seen by watching its parent.
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

  #handleError(error: Error): void {
    const { log, engine } = this.#options;
    const { code } = error as NodeJS.ErrnoException;
    const exhausted = code === "ENOSPC" || code === "EMFILE";
    if (!exhausted || this.#isPolling) {
      log.warning(`Cannot watch a file: ${error.message}`);
      return;
    }
    if (engine !== "auto") return;
    log.warning(`The system has no file watches left (${code}): polling files every ${POLL_INTERVAL_MS} ms`);
    this.#isPolling = true;
    this.#restart();
  }

  #restart(): void {
    this.close();
    this.#start();
  }
}

/** Undefined for a folder that does not exist. */
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

/** The nearest package folder at or above `folder`, else `folder` itself. */
function packageFolder(folder: string): string {
  for (let candidate = folder; candidate !== dirname(candidate); candidate = dirname(candidate)) {
    if (existsSync(join(candidate, "package.json"))) return candidate;
  }
  return folder;
}
