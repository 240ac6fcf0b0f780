/**
 * Tells which files this process loads, for `--reload`: each before it is tried, so that one that fails is known
 * as well, and whatever is imported later. Nothing here is loaded, and no hook is in place, without it.
 *
 * ES modules are seen by Node's hooks, `require` by its two funnels, `Module.prototype.load` and
 * `Module._resolveFilename`, which compilers and tools have wrapped in the same way for years. In-thread hooks
 * see both, but before Node 26.2 they change how CommonJS loads as soon as they are there.
 */
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { dirname, extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { fileStamp } from "../ipc/file-stamp.ts";
import type { LoadedFile } from "../ipc/messages.ts";
import { type LoadingNote, noteOf, noteOfLink, noteOfMissing } from "./loading-note.ts";
import { compilesTypeScript } from "./typescript.ts";

/** tsgun's own code, built or source: whoever works on that starts the server anew. */
const OWN_CODE = fileURLToPath(new URL("..", import.meta.url));

const PACKAGES = `${sep}node_modules${sep}`;

/** What package managers write into `node_modules` when they have installed: npm, pnpm, Yarn. */
const INSTALLATION_MARKS = [".package-lock.json", ".modules.yaml", ".yarn-state.yml", ".yarn-integrity"];

/** What of Node is not in its types. */
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
  readonly #tell: (files: readonly LoadedFile[]) => void;
  readonly #told = new Set<string>();
  readonly #folders = new Set<string>();
  #news: LoadedFile[] = [];
  #port: MessagePort | undefined;
  #installed = false;

  /** @param tell called with what is new, soon after */
  constructor(tell: (files: readonly LoadedFile[]) => void) {
    this.#tell = tell;
  }

  /** Puts the hooks in place, once; behind those of a compiler, which may not call what comes before them. */
  install(): void {
    if (this.#installed) return;
    this.#installed = true;
    process.on("exit", () => this.flush());
    if (compilesTypeScript()) this.#note(noteOf(join(process.cwd(), "tsconfig.json")));
    if (hasCompleteSyncHooks()) this.#registerSyncHooks();
    else this.#registerHooks();
  }

  /** Tells at once what has not been told. */
  flush(): void {
    for (;;) {
      const received = this.#port && receiveMessageOnPort(this.#port);
      if (received === undefined) break;
      this.#note(received.message as LoadingNote);
    }
    const news = this.#news;
    if (news.length === 0) return;
    this.#news = [];
    this.#tell(news);
  }

  #note(files: readonly LoadedFile[] | undefined): void {
    for (const file of files ?? []) {
      if (this.#told.has(file.path) || file.path.startsWith(OWN_CODE)) continue;
      this.#told.add(file.path);
      const packages = file.path.indexOf(PACKAGES);
      if (packages === -1) {
        this.#add(file);
        this.#notePackage(dirname(file.path));
      } else {
        // Thousands of files, which an installation changes one after the other: its end is what counts.
        this.#noteInstallation(file.path.slice(0, packages));
      }
    }
  }

  #add(file: LoadedFile): void {
    if (this.#news.length === 0) setImmediate(() => this.flush());
    this.#news.push(file);
  }

  /** The package.json that says what the files of a folder are, and what is installed beside it. */
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
      if (this.#told.has(path)) continue;
      this.#told.add(path);
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
    nodeModule.register(new URL(`./loading-hooks${extname(import.meta.filename)}`, import.meta.url), {
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

/** Since then `require` in an imported CommonJS module passes in-thread hooks as if they were not there. */
function hasCompleteSyncHooks(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 26 || (major === 26 && minor >= 2);
}
