/**
 * The hooks that run in a worker. The arbiter cannot send functions, so the worker reads the configuration file
 * itself, but only if it has hooks for a worker.
 */
import type { HookName, Hooks, SslContextHook, WorkerContext } from "../config/hooks.ts";
import type { Config } from "../config/settings.ts";
import type { WorkerInfo } from "../gateway/types.ts";
import type { Assignment } from "../ipc/messages.ts";
import type { ErrorLog } from "../log/error-log.ts";
import { HookFailure } from "./boot-error.ts";
import type { RequestHooks } from "./request-hooks.ts";

export class WorkerHooks {
  readonly #hooks: Partial<Hooks>;
  readonly #worker: WorkerContext;
  readonly #log: ErrorLog;

  constructor(hooks: Partial<Hooks>, worker: WorkerInfo, log: ErrorLog) {
    this.#hooks = hooks;
    this.#worker = { ...worker, log };
    this.#log = log;
  }

  /**
   * Loads the hooks of the assignment.
   * @throws FatalError when the file can no longer be read.
   */
  static async load(assignment: Assignment<Config>, worker: WorkerInfo, log: ErrorLog): Promise<WorkerHooks> {
    const { hooks, settings } = assignment;
    if (hooks.length === 0 || typeof settings.config !== "string") return new WorkerHooks({}, worker, log);
    const { ConfigFile } = await import("../loader/config-file.ts");
    const read = await new ConfigFile(settings.config, process.cwd()).read({ env: process.env });
    return new WorkerHooks(read.hooks, worker, log);
  }

  has(name: HookName): boolean {
    return this.#hooks[name] !== undefined;
  }

  /** @throws HookFailure: the worker cannot boot. */
  async run(name: "postFork" | "postWorkerInit"): Promise<void> {
    try {
      await this.#hooks[name]?.(this.#worker);
    } catch (error) {
      throw new HookFailure(name, error);
    }
  }

  /** The hook that makes TLS contexts; undefined if it is not set. Its failure is a HookFailure: the worker cannot boot. */
  get sslContext(): SslContextHook | undefined {
    if (this.#hooks.sslContext === undefined) return undefined;
    return async (settings, defaults) => {
      try {
        const options = await this.#hooks.sslContext?.(settings, defaults);
        if (typeof options === "object" && options !== null) return options;
      } catch (error) {
        throw new HookFailure("sslContext", error);
      }
      throw new HookFailure(
        "sslContext",
        "it must return an object of options, such as the result of its second argument",
      );
    };
  }

  /** Runs a hook whose failure is only logged. */
  async runLogged(name: "workerInt" | "workerExit"): Promise<void> {
    try {
      await this.#hooks[name]?.(this.#worker);
    } catch (error) {
      this.#failed(name, error);
    }
  }

  /** Runs workerAbort when a blocked worker is about to be killed; undefined if the hook is not set. */
  get abort(): (() => void) | undefined {
    const { workerAbort } = this.#hooks;
    if (workerAbort === undefined) return undefined;
    return () => {
      try {
        workerAbort.call(this.#hooks, this.#worker);
      } catch (error) {
        this.#failed("workerAbort", error);
      }
    };
  }

  /** Loads the request hooks; undefined if none is set, so that a start and requests pay nothing. */
  async requests(): Promise<RequestHooks | undefined> {
    const { preRequest, postRequest } = this.#hooks;
    if (preRequest === undefined && postRequest === undefined) return undefined;
    const { RequestHooks } = await import("./request-hooks.ts");
    return new RequestHooks(this.#hooks, this.#worker);
  }

  #failed(name: HookName, error: unknown): void {
    this.#log.error(`The hook ${name} failed`, error);
  }
}
