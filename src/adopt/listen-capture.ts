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
  type ListenCall,
  type ListenTarget,
  nameOf,
  parseListenCall,
} from "./listen-call.ts";
import type { OtherServers } from "./other-servers.ts";
import { type BoundAddress, isListening, placeHandle } from "./placeholder-handle.ts";

/** How long a server must listen before it is adopted, in turns of the event loop. */
const PROBE_TURNS = 3;

export interface CaptureOptions {
  /** The address that clients reach; undefined: the one that the app asked for. */
  readonly address: BoundAddress | undefined;
  /** The port or path whose server to adopt; undefined: the first one (`--adopt`). */
  readonly adopt: string | undefined;
  readonly others: OtherServers;
  /** Called for a server with the listener that the app exports, which is served already. */
  readonly onNeedless?: (captured: CapturedServer) => void;
}

export class ListenCapture {
  readonly #options: CaptureOptions;
  #adopted: CapturedServer | undefined;
  /** Set once the app's export is served, so that no server is adopted: tells the servers of that export. */
  #isOfExport: ((server: Server) => boolean) | undefined;
  #ownServer: Server | undefined;
  #onAdopted: (() => void) | undefined;
  /** From now on the adopted server is served, so one that the app closes has been served. */
  #isServed = false;
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

  /** The port or path whose server to adopt, if one is named. */
  get named(): string | undefined {
    return this.#options.adopt;
  }

  /** The server that listens and can be adopted; undefined if there is none. */
  get adopted(): CapturedServer | undefined {
    return this.#adopted;
  }

  /**
   * Resolves when a server listens that can be adopted, and stays so: apps that look for a free port (get-port, portfinder,
   * react-router-serve) listen with another server first, and close it in its `listening` event.
   */
  async whenAdopted(): Promise<CapturedServer> {
    for (;;) {
      const captured = this.#adopted ?? (await this.#nextAdopted());
      for (let turn = 0; turn < PROBE_TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      if (this.#adopted !== captured) continue;
      this.#isServed = true;
      return captured;
    }
  }

  #nextAdopted(): Promise<CapturedServer> {
    return new Promise((resolve) => {
      this.#onAdopted = () => resolve(this.#adopted as CapturedServer);
    });
  }

  /** Adopts a server that the app exports instead of making it listen. */
  adopt(server: Server): void {
    if (isListening(server)) return;
    const target: ListenTarget = { type: "tcp", port: 0, host: undefined };
    this.#adopted = { server, target };
    this.#isServed = true;
    placeHandle(server, this.#options.address ?? requestedAddress(target), () => this.#closed(server));
  }

  /**
   * The app's export is served: through its own server if that listens. Otherwise no server is adopted, and the one that
   * would have been is one of the others.
   *
   * @param isOfExport whether a server serves that export; one that listens later then need not
   * @param own the server whose listeners the export stands for
   * @returns the server of the export
   * @throws Error when further servers are refused, and one listens already
   */
  serveExport(isOfExport: (server: Server) => boolean, own?: Server): CapturedServer | undefined {
    const adopted = this.#adopted;
    if (adopted !== undefined && isOfExport(adopted.server)) {
      this.#isServed = true;
      return adopted;
    }
    this.#isOfExport = isOfExport;
    this.#ownServer = own;
    this.#adopted = undefined;
    if (adopted !== undefined && !this.#isOurs(adopted.target)) {
      this.#options.others.check(adopted);
      this.#options.others.add(adopted);
    }
    return undefined;
  }

  /** Calls back when the app closes the adopted server, or at once if it has. */
  whenClosed(callback: () => void): void {
    this.#onClosed = callback;
    if (this.#adopted !== undefined && !isListening(this.#adopted.server)) callback();
  }

  #listen(server: Server, { target, callback, signal }: ListenCall): void {
    const { others } = this.#options;
    const address = this.#options.address ?? requestedAddress(target);
    const captured: CapturedServer = { server, target };
    const isAdopted = this.#adopts(captured);
    const isServed = isAdopted || this.#isServedAlready(captured);
    if (!isServed) others.check(captured);
    if (callback !== undefined) server.once("listening", callback);
    signal?.addEventListener("abort", () => server.close(), { once: true });
    if (isAdopted) {
      this.#adopted = captured;
      placeHandle(server, address, () => this.#closed(server));
      this.#onAdopted?.();
    } else if (isServed) {
      placeHandle(server, address, () => {});
      if (this.#adopted === undefined && server !== this.#ownServer) this.#options.onNeedless?.(captured);
    } else others.add(captured);
  }

  /** Whether this server is the one to serve, for the first time or again after the app closed it. */
  #adopts({ server, target }: CapturedServer): boolean {
    if (this.#isOfExport !== undefined) return false;
    if (this.#adopted !== undefined) return this.#adopted.server === server;
    return this.#options.adopt === undefined || isNamed(target, this.#options.adopt);
  }

  /**
   * Some frameworks listen once for each address of `localhost`, with a server each (Fastify): clients reach the first.
   * A server of the exported app has nothing to add to it, and one at tsgun's own address could not be opened.
   */
  #isServedAlready({ server, target }: CapturedServer): boolean {
    if (this.#isOfExport?.(server) === true || this.#isOurs(target)) return true;
    const adopted = this.#adopted?.target;
    if (adopted?.type !== "tcp" || target.type !== "tcp") return false;
    return target.port !== 0 && target.port === adopted.port;
  }

  #isOurs(target: ListenTarget): boolean {
    const { address } = this.#options;
    if (target.type === "path") return target.path === address;
    if (target.type === "descriptor") return false;
    return typeof address === "object" && target.port === address.port && target.port !== 0;
  }

  #closed(server: Server): void {
    if (this.#adopted?.server !== server) return;
    if (this.#isServed) this.#onClosed?.();
    else this.#adopted = undefined;
  }
}

function isNamed(target: ListenTarget, name: string): boolean {
  return nameOf(target) === name;
}
