/**
 * `--reload`: requests a reload when a file changes that a worker has loaded. Without the setting nothing is watched, and
 * the watcher's modules are not loaded.
 */
import { isAbsolute } from "node:path";
import type { Config } from "../../config/settings.ts";
import type { LoadedFile } from "../../ipc/messages.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import type { FileWatch } from "./file-watch.ts";

export interface FileReloadOptions {
  readonly config: Pick<Config, "reload" | "reloadEngine" | "reloadExtraFile" | "config" | "envFile">;
  /** The server's working folder. */
  readonly folder: string;
  readonly log: ErrorLog;
  /** Called with the changed files, for display. */
  changed(files: readonly string[]): void;
}

export class FileReload {
  readonly #options: FileReloadOptions;
  #watch: FileWatch | undefined;

  constructor(options: FileReloadOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { reload, reloadEngine, reloadExtraFile = [], config, envFile = [] } = this.#options.config;
    if (!reload) return;
    const { FileWatch } = await import("./file-watch.ts");
    this.#watch = new FileWatch({
      folder: this.#options.folder,
      engine: reloadEngine,
      extraFiles: reloadExtraFile,
      ownFiles: [config || "", ...envFile.map((name) => name.replace(/\?$/, ""))].filter(isAbsolute),
      log: this.#options.log,
      changed: (files) => this.#options.changed(files),
    });
  }

  /** Whether a change of a watched file can start a reload. */
  get canHappen(): boolean {
    return this.#watch?.isIdle === false;
  }

  /** A worker has loaded files. */
  loaded(generation: number, files: readonly LoadedFile[]): void {
    this.#watch?.loaded(generation, files);
  }

  /** Every slot has a worker of this generation. */
  established(generation: number): void {
    this.#watch?.established(generation);
  }

  close(): void {
    this.#watch?.close();
  }
}
