/**
 * Takes over `listen()` calls of the app: the first server that listens is the one to serve, on the sockets that the
 * arbiter bound; it never binds an address of its own. What else listens is left to `OtherServers`.
 *
 * The app notices nothing: `listening` is emitted, its callback runs, `address()` returns the address that clients reach.
 * Connections arrive only once the worker is ready to serve them.
 */
import { Server } from "node:net";
import { nativeListen } from "../server/listen.ts";
import { requestedAddress } from "./bound-address.ts";
import {
  type CapturedServer,
  describeTarget,
  type ListenCall,
  type ListenTarget,
  parseListenCall,
} from "./listen-call.ts";
import type { OtherServers } from "./other-servers.ts";
import { type BoundAddress, isListening, placeHandle } from "./placeholder-handle.ts";

export interface CaptureOptions {
  /** The address that clients reach; undefined: the one that the app asked for. */
  readonly address: BoundAddress | undefined;
  /** The port or path whose server to adopt; undefined: the first one (`--adopt`). */
  readonly adopt: string | undefined;
  readonly others: OtherServers;
}

export class ListenCapture {
  readonly #options: CaptureOptions;
  #adopted: CapturedServer | undefined;
  /** Set once the app's export is served, so that no server is adopted: tells the servers of that export. */
  #isOfExport: ((server: Server) => boolean) | undefined;
  #onAdopted: ((adopted: CapturedServer) => void) | undefined;
  #onClosed: (() => void) | undefined;

  /** Captures from now on, for the life of the process. */
  constructor(options: CaptureOptions) {
    this.#options = options;
    const capture = this;
    Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
      const call = parseListenCall(args);
      if (call === undefined || isListening(this)) return Reflect.apply(nativeListen, this, args);
      capture.#listen(this, call);
      return this;
    } as typeof Server.prototype.listen;
  }

  /** The server to serve; undefined until one listens. */
  get adopted(): CapturedServer | undefined {
    return this.#adopted;
  }

  /** Resolves when a server listens that can be adopted, and is not closed at once. */
  whenAdopted(): Promise<CapturedServer> {
    return new Promise((resolve) => {
      this.#onAdopted = resolve;
      if (this.#adopted !== undefined) this.#confirm(this.#adopted);
    });
  }

  /** Adopts a server that the app exports instead of making it listen. */
  adopt(server: Server): void {
    if (isListening(server)) return;
    const target: ListenTarget = { type: "tcp", port: 0, host: undefined };
    this.#adopted = { server, target, from: new Error("exported") };
    placeHandle(server, this.#options.address ?? requestedAddress(target), () => this.#closed(server));
  }

  /**
   * Adopts no server, since the app's export is served: the one that would have been adopted is one of the others.
   *
   * @param isOfExport whether a server that listens later serves that same export; it then need not
   */
  release(isOfExport: (server: Server) => boolean): void {
    this.#isOfExport = isOfExport;
    const adopted = this.#adopted;
    this.#adopted = undefined;
    if (adopted !== undefined) this.#options.others.add(adopted);
  }

  /** Calls back when the app closes the adopted server. */
  whenClosed(callback: () => void): void {
    this.#onClosed = callback;
  }

  #listen(server: Server, { target, callback, signal }: ListenCall): void {
    const { others } = this.#options;
    const address = this.#options.address ?? requestedAddress(target);
    const captured: CapturedServer = { server, target, from: new Error(describeTarget(target)) };
    const isAdopted = this.#adopts(captured);
    const isServed = isAdopted || this.#isServedAlready(captured);
    if (!isServed) others.check(captured);
    if (callback !== undefined) server.once("listening", callback);
    signal?.addEventListener("abort", () => server.close(), { once: true });
    if (isAdopted) {
      this.#adopted = captured;
      placeHandle(server, address, () => this.#closed(server));
      this.#confirm(captured);
    } else if (isServed) placeHandle(server, address, () => {});
    else others.add(captured);
  }

  /** Whether this server is the one to serve, for the first time or again after the app closed it. */
  #adopts({ server, target }: CapturedServer): boolean {
    if (this.#isOfExport !== undefined) return false;
    if (this.#adopted !== undefined) return this.#adopted.server === server;
    return this.#options.adopt === undefined || isNamed(target, this.#options.adopt);
  }

  /**
   * Some frameworks listen once for each address of `localhost`, with a server each (Fastify): clients reach the first.
   * A server of the exported app has nothing to add to it.
   */
  #isServedAlready({ server, target }: CapturedServer): boolean {
    if (this.#isOfExport?.(server) === true) return true;
    const adopted = this.#adopted?.target;
    if (adopted?.type !== "tcp" || target.type !== "tcp") return false;
    return target.port !== 0 && target.port === adopted.port;
  }

  /**
   * Some programs listen on a port only to see whether it is free, and close that server as soon as it listens (get-port,
   * react-router-serve). `listening` and what follows from it come before the next immediate.
   */
  #confirm(captured: CapturedServer): void {
    setImmediate(() => {
      if (this.#adopted === captured) this.#onAdopted?.(captured);
    });
  }

  #closed(server: Server): void {
    if (this.#adopted?.server !== server) return;
    if (this.#onClosed === undefined) this.#adopted = undefined;
    else this.#onClosed();
  }
}

function isNamed(target: ListenTarget, name: string): boolean {
  return target.type === "tcp" ? String(target.port) === name : target.path === name;
}
