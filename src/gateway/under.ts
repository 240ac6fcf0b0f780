/** Mounts an app under a prefix of the path, beside another one. */
import { toApp } from "./app-parts.ts";
import { derive, type RequestChanges } from "./derive.ts";
import type {
  App,
  AppMiddleware,
  GatewayRequest,
  Handler,
  Respond,
  ServerAnswer,
  WorkerInfo,
} from "./types.ts";

/** Marks middleware that takes and returns apps, for `compose`. */
export const WRAPS_APPS = Symbol("tsgun.wraps-apps");

const PREFIX = /^(?:\/[^/?#]+)+$/;

/** The results of the apps' `startup`. */
interface States {
  readonly mounted: unknown;
  readonly next: unknown;
}

/**
 * Passes requests below `prefix` to `app`, with the prefix moved from `path` to `rootPath`, and all others to the next
 * app. Both start with the worker, each gets its own state, and both are shut down, in the opposite order.
 *
 * @param prefix percent-encoded as in a request's path, such as `/api`
 * @throws RangeError for a prefix that does not begin with `/`, or ends with one
 */
export function under<State = unknown>(
  prefix: string,
  // biome-ignore lint/suspicious/noExplicitAny: the state is the mounted app's own, and nobody else sees it
  app: App<any> | Handler<any>,
): AppMiddleware<State> {
  if (!PREFIX.test(prefix))
    throw new RangeError(
      `${JSON.stringify(prefix)} is not a prefix such as "/api": it begins with / and ends without`,
    );
  const mounted = toApp(app as App | Handler);
  const around = (next: App | Handler): App => new Mount(prefix, mounted, toApp(next)).app;
  return Object.assign(around as AppMiddleware<State>, { [WRAPS_APPS]: true });
}

class Mount {
  readonly #prefix: string;
  readonly #mounted: App;
  readonly #next: App;

  constructor(prefix: string, mounted: App, next: App) {
    this.#prefix = prefix;
    this.#mounted = mounted;
    this.#next = next;
  }

  get app(): App {
    const hasUpgrade = this.#mounted.upgrade !== undefined || this.#next.upgrade !== undefined;
    return {
      startup: (worker) => this.#startup(worker),
      shutdown: (states) => this.#shutdown(states as States),
      handle: (request, respond) => this.#handle(request, respond, "handle"),
      ...(hasUpgrade && { upgrade: (request, respond) => this.#handle(request, respond, "upgrade") }),
      onServerAnswer: (answer) => this.#onServerAnswer(answer),
    };
  }

  async #startup(worker: WorkerInfo): Promise<States> {
    const next = await this.#next.startup?.(worker);
    try {
      return { next, mounted: await this.#mounted.startup?.(worker) };
    } catch (error) {
      await this.#next.shutdown?.(next);
      throw error;
    }
  }

  async #shutdown({ mounted, next }: States): Promise<void> {
    try {
      await this.#mounted.shutdown?.(mounted);
    } finally {
      await this.#next.shutdown?.(next);
    }
  }

  #handle(request: GatewayRequest, respond: Respond, method: "handle" | "upgrade"): void | Promise<void> {
    const isMounted = isBelow(request.path, this.#prefix);
    const app = isMounted ? this.#mounted : this.#next;
    // An app that knows no upgrades may ignore them.
    const handler = app[method] ?? app.handle;
    return handler.call(app, this.#passedOn(request, isMounted), respond);
  }

  #passedOn(request: GatewayRequest, isMounted: boolean): GatewayRequest {
    // A server may skip the start and give a state itself, as tests do.
    const { mounted, next } = (request.state ?? {}) as Partial<States>;
    const changes: RequestChanges<unknown> = { state: isMounted ? mounted : next };
    if (!isMounted) return derive(request, changes);
    return derive(request, {
      ...changes,
      rootPath: request.rootPath + this.#prefix,
      path: request.path.slice(this.#prefix.length) || "/",
    });
  }

  #onServerAnswer(answer: ServerAnswer): ReturnType<NonNullable<App["onServerAnswer"]>> {
    const { request } = answer;
    if (request === undefined) return this.#next.onServerAnswer?.(answer);
    const isMounted = isBelow(request.path, this.#prefix);
    const app = isMounted ? this.#mounted : this.#next;
    return app.onServerAnswer?.({ ...answer, request: this.#passedOn(request, isMounted) });
  }
}

function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === "/");
}
