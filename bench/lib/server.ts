/** A server of the field: how the bench finds it, and how it starts it for an app. */

/** The apps of `bench/apps`: what is answered. Each server runs its own form of them. */
export type AppName = "hello" | "routes" | "work" | "hono" | "express" | "fastify";

/** HTTP/1.1 or HTTP/2, over TLS or not. */
export type Protocol = "http" | "https" | "h2" | "h2c";

/** The app and the options of one start. */
export interface Launch {
  readonly app: AppName;
  readonly workers: number;
  /** Seconds that an idle connection is kept. Default: the server's own. */
  readonly keepAlive?: number;
  /** Connections that a worker must be able to hold. Default: the server's own limit. */
  readonly connections?: number;
  /** The format of the access log, which goes to a file. Default: none. */
  readonly accessLog?: "combined" | "json";
  /** Whether metrics and records are on. Default: as the server has it. */
  readonly metrics?: boolean;
  /** Further settings of tsgun. */
  readonly settings?: readonly string[];
  /** Threads of a gunicorn that has them. Default: 4. */
  readonly threads?: number;
  /** Whether each connection begins with a PROXY header. Default: none does. */
  readonly proxyProtocol?: boolean;
  /** The protocol of the connections. Default: HTTP/1.1 without TLS. */
  readonly protocol?: Protocol;
  /** The binary of the Node that runs it. Default: that of the bench. */
  readonly node?: string;
  /** Serve the app's TypeScript, not its JavaScript. */
  readonly typescript?: boolean;
}

/** Where to listen, and a folder for the server's files. */
export interface Place {
  /** A port of 127.0.0.1, or the path of a Unix socket. */
  readonly address: number | string;
  readonly folder: string;
  /** The certificate that all servers have; undefined without TLS. */
  readonly certificate?: Certificate | undefined;
}

/** Files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface Command {
  readonly words: readonly [string, ...string[]];
  readonly env?: { readonly [name: string]: string };
}

export interface Server {
  readonly name: string;
  /** In one line what it is. */
  readonly what: string;
  /** Whether it serves other protocols than HTTP/1.1 without TLS. Default: no. */
  readonly servesAll?: boolean;
  /** Its version; throws `Missing` where it is not installed. */
  version(): string;
  /** How to start it, or undefined if it cannot serve that. */
  command(launch: Launch, place: Place): Command | undefined;
}

/** A program that is not on this machine; the message says how to install it. */
export class Missing extends Error {}
