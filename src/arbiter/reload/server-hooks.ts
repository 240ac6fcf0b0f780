/**
 * The hooks that run in the arbiter. A slow hook delays the action that it belongs to, never the loop. A failing hook
 * is logged by name, with its stack; the caller decides what the failure means for the server.
 */
import type { HookName, Hooks, ServerContext } from "../../config/hooks.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { isThenable } from "../../gateway/thenable.ts";

/** Time limit of onExit. Nothing else would end it. */
const EXIT_HOOK_LIMIT_MS = 10_000;

type Arguments<Name extends HookName> =
  Parameters<Hooks[Name]> extends [ServerContext, ...infer Rest] ? Rest : [];

export class ServerHooks {
  readonly #server: ServerContext;
  readonly #timeLimit: () => number;
  /** The number of workers that nworkersChanged was last called with. */
  #knownTarget: number | undefined;

  /** @param timeLimit milliseconds, for hooks that are awaited */
  constructor(server: ServerContext, timeLimit: () => number) {
    this.#server = server;
    this.#timeLimit = timeLimit;
  }

  /**
   * Runs a hook that the caller depends on; returns undefined when there is nothing to await.
   * @throws FatalError that names the hook, or returns a promise that rejects with it.
   */
  run<Name extends HookName>(
    hooks: Partial<Hooks>,
    name: Name,
    ...rest: Arguments<Name>
  ): Promise<void> | undefined {
    const hook = hooks[name] as ((server: ServerContext, ...rest: unknown[]) => unknown) | undefined;
    if (hook === undefined) return undefined;
    try {
      const running = hook.call(hooks, this.#server, ...rest);
      if (!isThenable(running)) return undefined;
      return Promise.resolve(running).then(
        () => undefined,
        (error) => {
          throw this.#failure(name, error);
        },
      );
    } catch (error) {
      throw this.#failure(name, error);
    }
  }

  /**
   * Runs a hook and awaits it, with a time limit.
   * @throws FatalError that names the hook.
   */
  async runToEnd<Name extends HookName>(
    hooks: Partial<Hooks>,
    name: Name,
    ...rest: Arguments<Name>
  ): Promise<void> {
    const limit = this.#timeLimit();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const fail = (): void => reject(this.#failure(name, `it did not finish within ${limit / 1000}s`));
      timer = setTimeout(fail, limit);
    });
    try {
      await Promise.race([this.run(hooks, name, ...rest), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a hook without awaiting it; a failure is logged. */
  notify<Name extends HookName>(hooks: Partial<Hooks>, name: Name, ...rest: Arguments<Name>): void {
    try {
      this.run(hooks, name, ...rest)?.catch(() => {});
    } catch {
      // It has been logged.
    }
  }

  /** Runs nworkersChanged if the target number of workers has changed since the last call. */
  notifyTarget(hooks: Partial<Hooks>, target: number): void {
    if (target === this.#knownTarget) return;
    const before = this.#knownTarget;
    this.#knownTarget = target;
    this.notify(hooks, "nworkersChanged", target, before);
  }

  /** Runs onExit and awaits it, with a time limit. */
  async runExit(hooks: Partial<Hooks>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#server.log.warning(`The hook onExit did not finish within ${EXIT_HOOK_LIMIT_MS / 1000}s`);
        resolve();
      }, EXIT_HOOK_LIMIT_MS);
    });
    try {
      await Promise.race([this.run(hooks, "onExit"), late]);
    } catch {
      // It has been logged.
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(name: HookName, error: unknown): FatalError {
    this.#server.log.error(`The hook ${name} failed`, error);
    const reason = error instanceof Error ? error.message : String(error);
    return new FatalError(
      `the hook ${name} failed: ${reason.replaceAll(/\s*\n\s*/g, " ")}`,
      ExitCode.failure,
      { cause: error },
    );
  }
}
