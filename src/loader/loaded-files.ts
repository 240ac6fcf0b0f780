/**
 * Reports the files that this process loads, for `--reload`, including later imports. Each file is reported before it
 * loads, so that files that fail are known too. Without `--reload` this module is not loaded and no hook is registered.
 *
 * Node's module hooks see ES modules. For `require` we wrap `Module.prototype.load` and `Module._resolveFilename`,
 * as compilers and tools have done for years. In-thread hooks see both, but before Node 26.2 registering them
 * changes how CommonJS loads.
 */
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { dirname, join, sep } from "node:path";
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { fileStamp } from "../ipc/file-stamp.ts";
import type { LoadedFile } from "../ipc/messages.ts";
import { OWN_CODE, programUrl } from "../ipc/programs.ts";
import { type LoadingNote, noteOf, noteOfLink, noteOfMissing } from "./loading-note.ts";
import { hasCompleteSyncHooks, hasSyncHooks } from "./sync-hooks.ts";
import { compilesTypeScript } from "./typescript.ts";

const PACKAGES = `${sep}node_modules${sep}`;

/** Files that npm, pnpm and Yarn write into `node_modules` at the end of an installation. */
const INSTALLATION_MARKS = [".package-lock.json", ".modules.yaml", ".yarn-state.yml", ".yarn-integrity"];

/** Node internals that its types do not declare. */
interface ModuleInternals {
  prototype: { load(filename: string): void };
  _resolveFilename(request: string, parent: { filename?: string } | undefined, ...rest: unknown[]): string;
}

interface SyncHooks {
  registerHooks?(hooks: {
    load(url: string, context: object, next: (url: string, context: object) => unknown): unknown;
    resolve(
      specifier: string,
      context: { parentURL?: string },
      next: (specifier: string, context: object) => unknown,
    ): unknown;
  }): void;
}

export class LoadedFiles {
  readonly #notify: (files: readonly LoadedFile[]) => void;
  readonly #reported = new Set<string>();
  readonly #folders = new Set<string>();
  #pending: LoadedFile[] = [];
  #port: MessagePort | undefined;
  #installed = false;

  /** @param notify called with new files, batched per event loop turn */
  constructor(notify: (files: readonly LoadedFile[]) => void) {
    this.#notify = notify;
  }

  /** Registers the hooks, once. Call it after a compiler's hooks are registered: they may not call earlier hooks. */
  install(): void {
    if (this.#installed) return;
    this.#installed = true;
    process.on("exit", () => this.flush());
    if (compilesTypeScript()) this.#note(noteOf(join(process.cwd(), "tsconfig.json")));
    // A compiler's hooks in this thread come before all that are in another.
    if (hasCompleteSyncHooks() || (compilesTypeScript() && hasSyncHooks())) this.#registerSyncHooks();
    else this.#registerHooks();
  }

  /** Reports all pending files now. */
  flush(): void {
    for (;;) {
      const received = this.#port && receiveMessageOnPort(this.#port);
      if (received === undefined) break;
      this.#note(received.message as LoadingNote);
    }
    const news = this.#pending;
    if (news.length === 0) return;
    this.#pending = [];
    this.#notify(news);
  }

  #note(files: readonly LoadedFile[] | undefined): void {
    for (const file of files ?? []) {
      // Changes to our own code need a restart of the server.
      if (this.#reported.has(file.path) || file.path.startsWith(OWN_CODE)) continue;
      this.#reported.add(file.path);
      const packages = file.path.indexOf(PACKAGES);
      if (packages === -1) {
        this.#add(file);
        this.#notePackage(dirname(file.path));
      } else {
        // A package has thousands of files, which an installation changes one by one: watch for its end instead.
        this.#noteInstallation(file.path.slice(0, packages));
      }
    }
  }

  #add(file: LoadedFile): void {
    if (this.#pending.length === 0) setImmediate(() => this.flush());
    this.#pending.push(file);
  }

  /** Adds the package.json that sets the module type of a folder, and the installation marks beside it. */
  #notePackage(folder: string): void {
    if (this.#folders.has(folder)) return;
    this.#folders.add(folder);
    const file = join(folder, "package.json");
    if (existsSync(file)) {
      this.#note([{ path: file, stamp: fileStamp(file) }]);
      this.#noteInstallation(folder);
    } else if (dirname(folder) !== folder) this.#notePackage(dirname(folder));
  }

  #noteInstallation(folder: string): void {
    for (const mark of INSTALLATION_MARKS) {
      const path = join(folder, "node_modules", mark);
      if (this.#reported.has(path)) continue;
      this.#reported.add(path);
      this.#add({ path, stamp: fileStamp(path) });
    }
  }

  #registerSyncHooks(): void {
    (nodeModule as SyncHooks).registerHooks?.({
      load: (url, context, next) => {
        this.#note(noteOf(url));
        return next(url, context);
      },
      resolve: (specifier, context, next) => {
        try {
          const found = next(specifier, context) as { url: string };
          this.#note(noteOfLink(specifier, context.parentURL, found.url));
          // A compiler's `require` reads the file itself and shows no hook that it loads.
          this.#note(noteOf(found.url));
          return found;
        } catch (error) {
          this.#note(noteOfMissing(specifier, context.parentURL));
          throw error;
        }
      },
    });
  }

  #registerHooks(): void {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on("message", (note: LoadingNote) => this.#note(note));
    port1.unref();
    nodeModule.register(programUrl("loader/loading-hooks"), {
      parentURL: import.meta.url,
      data: { port: port2 },
      transferList: [port2],
    });
    this.#wrapRequire();
  }

  #wrapRequire(): void {
    const internals = nodeModule.default as unknown as ModuleInternals;
    const note = (files: LoadingNote | undefined): void => this.#note(files);
    const { load } = internals.prototype;
    internals.prototype.load = function (filename) {
      note(noteOf(filename));
      load.call(this, filename);
    };
    const resolve = internals._resolveFilename;
    internals._resolveFilename = function (request, parent, ...rest) {
      try {
        const found = resolve.call(this, request, parent, ...rest);
        note(noteOfLink(request, parent?.filename, found));
        return found;
      } catch (error) {
        note(noteOfMissing(request, parent?.filename));
        throw error;
      }
    };
  }
}
