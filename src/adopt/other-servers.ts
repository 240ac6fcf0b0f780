/**
 * The servers of an app beside the one that is served: metrics, an admin page. Several workers cannot bind one port, so
 * such a server is open in the first worker only, or refused, as `--other-servers` says. In the other workers it listens
 * as far as the app can tell, and no connection comes.
 */

import type { AddressInfo, Server } from "node:net";
import { nativeListen } from "../server/listen.ts";
import { acceptorFor } from "./acceptor.ts";
import { requestedAddress } from "./bound-address.ts";
import { type CapturedServer, describeTarget, type ListenTarget } from "./listen-call.ts";
import { placeHandle } from "./placeholder-handle.ts";

/** A target that this process can bind. */
type Address = Exclude<ListenTarget, { type: "descriptor" }>;

/** How often to try an address that another process has, in milliseconds: at a reload the worker before this one. */
const RETRY_MS = 250;

export interface OtherServersOptions {
  /** Throws at the app's `listen()` call (`--other-servers refuse`). */
  readonly refuses: boolean;
  /**
   * Which of them this process opens: `all` in one worker; in the others only those on a port that the system chooses,
   * which is free everywhere; `none` while the app is only tried.
   */
  readonly opens: "all" | "free-port" | "none";
  /** For how long to retry an address in use, in milliseconds: until the worker before this one must be gone. */
  readonly patienceMs: number;
  /** Called once for each server that is opened. */
  readonly onOpen: (target: ListenTarget) => void;
  /** Called when the address cannot be bound. */
  readonly onFailure: (target: ListenTarget, error: Error) => void;
}

export class OtherServers {
  readonly #options: OtherServersOptions;

  constructor(options: OtherServersOptions) {
    this.#options = options;
  }

  /** @throws Error when such servers are refused. */
  check({ target }: CapturedServer): void {
    if (target.type === "descriptor") {
      throw new Error(
        `refused to listen on ${describeTarget(target)}: this app already has a server, and the process has inherited no socket for another`,
      );
    }
    if (!this.#options.refuses) return;
    throw new Error(
      `refused to listen on ${describeTarget(target)}: this app already has a server, and --other-servers is refuse`,
    );
  }

  add(captured: CapturedServer): void {
    const { server, target } = captured;
    const { opens, onOpen } = this.#options;
    if (
      opens === "none" ||
      target.type === "descriptor" ||
      (opens === "free-port" && hasFixedAddress(target))
    ) {
      placeHandle(server, requestedAddress(target), () => {});
      return;
    }
    if (hasFixedAddress(target)) onOpen(target);
    this.#open(server, target);
  }

  #open(server: Server, target: Address): void {
    const acceptor = acceptorFor(server);
    const giveUpAt = performance.now() + this.#options.patienceMs;
    let timer: NodeJS.Timeout | undefined;
    const listen = (): void => {
      // With `exclusive` the worker binds, not the arbiter.
      const where = target.type === "tcp" ? { port: target.port, host: target.host } : { path: target.path };
      nativeListen.call(acceptor, { ...where, exclusive: true });
    };
    acceptor.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" && performance.now() < giveUpAt)
        timer = setTimeout(listen, RETRY_MS).unref();
      else this.#options.onFailure(target, error);
    });
    const close = (): void => {
      clearTimeout(timer);
      acceptor.close();
    };
    if (hasFixedAddress(target)) {
      // At once, though the address may still be in use: the previous worker frees it only when this one is ready.
      placeHandle(server, requestedAddress(target), close);
    } else {
      acceptor.once("listening", () => placeHandle(server, acceptor.address() as AddressInfo, close));
    }
    listen();
  }
}

function hasFixedAddress(target: Address): boolean {
  return target.type === "path" || target.port !== 0;
}
