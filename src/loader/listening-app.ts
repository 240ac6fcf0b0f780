/** An app that is a server which its module makes listen, at once or later, as under `node server.js`. */
import type { Server } from "node:net";
import { type CapturedServer, describeTarget } from "../adopt/listen-call.ts";
import type { ListenCapture } from "../adopt/listen-capture.ts";
import type { FatalError } from "../errors.ts";
import { NoApp } from "./exports.ts";
import type { LoadedServer } from "./loaded-app.ts";

/** How often to look whether the module still does something that may lead to a server, in milliseconds. */
const PENDING_CHECK_MS = 100;
/** After how many looks in a row without anything pending there will be no server. */
const LOOKS = 10;

/**
 * Waits until the app's server listens, without a time limit: that is the caller's job. Rejects early when the module
 * has nothing left to do that could make a server listen.
 *
 * @param pendingBefore the process's active resources before the module was loaded
 * @throws FatalError with the reason in `noApp` if there is one
 */
export async function listeningApp(
  capture: ListenCapture,
  shown: string,
  noApp: FatalError | undefined,
  pendingBefore: readonly string[],
): Promise<LoadedServer> {
  const idle = new IdleWatch(pendingBefore);
  try {
    const captured = await Promise.race([capture.whenAdopted(), idle.whenIdle()]);
    if (captured !== undefined) return loadedServer(captured);
  } finally {
    idle.stop();
  }
  if (capture.named !== undefined)
    throw new NoApp(`${shown} makes no server listen on ${capture.named} (--adopt)`);
  const reason = noApp?.message ?? `--interface server needs an app that listens`;
  throw new NoApp(`${reason}; nor does ${shown} make a server listen`);
}

export function loadedServer({ server, target }: CapturedServer): LoadedServer {
  return { kind: "server", what: `${kindOf(server)} of ${describeTarget(target)}`, server };
}

/** "http.Server", "Http2Server": for messages. */
export function kindOf(server: Server): string {
  const { name } = server.constructor;
  // http and https name both of their classes Server.
  if (name !== "Server" && name !== "") return name;
  const isHttp = "maxHeadersCount" in server;
  const isTls = "setSecureContext" in server;
  if (isHttp) return isTls ? "https.Server" : "http.Server";
  return isTls ? "tls.Server" : "net.Server";
}

/**
 * Resolves once the process has for a second had nothing to do beyond what it had before the app was loaded: no timer, no
 * connection, no file operation. Under `node server.js` such a process would have ended.
 */
class IdleWatch {
  readonly #before: readonly string[];
  #timer: NodeJS.Timeout | undefined;

  constructor(before: readonly string[]) {
    this.#before = before;
  }

  whenIdle(): Promise<undefined> {
    let looks = 0;
    return new Promise((resolve) => {
      this.#timer = setInterval(() => {
        looks = this.#isIdle() ? looks + 1 : 0;
        if (looks >= LOOKS) resolve(undefined);
      }, PENDING_CHECK_MS);
      // The look itself is nothing that the app has to do.
      this.#timer.unref();
    });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #isIdle(): boolean {
    const before = [...this.#before];
    return process.getActiveResourcesInfo().every((resource) => {
      const index = before.indexOf(resource);
      if (index === -1) return false;
      before.splice(index, 1);
      return true;
    });
  }
}
