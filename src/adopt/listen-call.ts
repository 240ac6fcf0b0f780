/**
 * Reads the arguments of `server.listen()` as node:net does: `(port, host, backlog)`, `(path)`, `(options)`, and a
 * callback at the end of each. Reads only; it neither listens nor reports errors.
 */
import type { Server } from "node:net";

/** Where an app wants to listen. */
export type ListenTarget =
  | { readonly type: "tcp"; readonly port: number; readonly host: string | undefined }
  | { readonly type: "path"; readonly path: string }
  /** A socket that the app expects to have inherited, as with systemd's socket activation. */
  | { readonly type: "descriptor"; readonly fd: number };

/** A server that the app told to listen. */
export interface CapturedServer {
  readonly server: Server;
  readonly target: ListenTarget;
}

export interface ListenCall {
  readonly target: ListenTarget;
  /** Called once when the server listens. */
  readonly callback: (() => void) | undefined;
  /** Closes the server when it is aborted. */
  readonly signal: AbortSignal | undefined;
}

interface ListenOptions {
  readonly port?: unknown;
  readonly host?: unknown;
  readonly path?: unknown;
  readonly fd?: unknown;
  readonly handle?: unknown;
  readonly _handle?: unknown;
  readonly signal?: AbortSignal;
}

const MAX_PORT = 65_535;

/** Returns undefined for what Node has to judge itself: a handle, or invalid arguments. */
export function parseListenCall(args: readonly unknown[]): ListenCall | undefined {
  const options = optionsOf(args);
  if (options.handle != null || options._handle != null) return undefined;
  const target = targetOf(options, args);
  if (target === undefined) return undefined;
  const last = args.at(-1);
  return {
    target,
    callback: typeof last === "function" ? (last as () => void) : undefined,
    signal: options.signal,
  };
}

/** "port 3000", "port 3000 of 127.0.0.1" or "/run/app.sock", for messages. */
export function describeTarget(target: ListenTarget): string {
  if (target.type === "path") return target.path;
  if (target.type === "descriptor") return `descriptor ${target.fd}`;
  return target.host === undefined ? `port ${target.port}` : `port ${target.port} of ${target.host}`;
}

/** As `--adopt` names it; undefined if it has no such name. */
export function nameOf(target: ListenTarget): string | undefined {
  if (target.type === "path") return target.path;
  return target.type === "tcp" && target.port !== 0 ? String(target.port) : undefined;
}

function optionsOf(args: readonly unknown[]): ListenOptions {
  const [first, second] = args;
  if (typeof first === "object" && first !== null) return first;
  if (isPath(first)) return { path: first };
  // listen(), listen(null), listen(undefined, "host") and listen(callback) choose a port.
  const port = first === undefined || first === null || typeof first === "function" ? 0 : first;
  return { port, host: typeof second === "string" ? second : undefined };
}

function targetOf(options: ListenOptions, args: readonly unknown[]): ListenTarget | undefined {
  const { host, path, fd } = options;
  if (typeof fd === "number") return fd >= 0 ? { type: "descriptor", fd } : undefined;
  let { port } = options;
  const isGiven = typeof args[0] === "object" && args[0] !== null;
  // As in Node, a port that is given as undefined or null is one that the system chooses.
  if (isGiven && "port" in options && (port === undefined || port === null)) port = 0;
  if (typeof port === "number" || typeof port === "string") {
    const number = typeof port === "string" && port.trim() === "" ? Number.NaN : Number(port);
    if (!Number.isInteger(number) || number < 0 || number > MAX_PORT) return undefined;
    return { type: "tcp", port: number, host: typeof host === "string" && host !== "" ? host : undefined };
  }
  return isPath(path) ? { type: "path", path } : undefined;
}

/** A string that is no number. */
function isPath(value: unknown): value is string {
  return typeof value === "string" && value !== "" && !(Number(value) >= 0);
}
