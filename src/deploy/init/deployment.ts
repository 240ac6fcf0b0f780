/**
 * One deployment as data. Names, paths and times are decided here once, so that the generated files agree
 * with each other and with tsgun's settings.
 */
import { resolve } from "node:path";
import { type Address, formatAddress } from "../../config/address.ts";
import type { Config } from "../../config/settings.ts";
import { longestStop } from "../../config/stop-time.ts";
import type { Project } from "./project.ts";

export interface Deployment extends Project {
  /** Absolute path of the app on the server. */
  readonly folder: string;
  /** The site's domain. */
  readonly domain: string;
  /** The group of nginx. It may connect to the socket. */
  readonly proxyGroup: string;
  /** The addresses that nginx connects to and systemd listens on. */
  readonly sockets: readonly Address[];
  /** The `bind` to write into the configuration file, if any. */
  readonly bind: Address | undefined;
  readonly config: Config;
  /** Ports of the app and of the health endpoint inside a container. */
  readonly port: number;
  readonly healthPort: number;
}

/** Fixed ports are safe: nothing else listens inside a container. */
export const CONTAINER = { port: 8000, healthPort: 9000, folder: "/app" } as const;

/** Time for the arbiter's own exit after its workers have stopped, with some slack. */
const STOP_MARGIN_MS = 10_000;

/** Returns how long to wait after TERM before killing the server, in whole seconds: longer than its own timeouts. */
export function stopSeconds({ gracefulTimeout }: Config, drainDelay: number): number {
  return seconds(longestStop({ gracefulTimeout, drainDelay }) + STOP_MARGIN_MS);
}

/** Converts milliseconds to whole seconds, rounded up. */
export function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000);
}

/** The socket of a server whose configuration sets no `bind`. */
export function defaultSocket(name: string): Address {
  return { kind: "unix", path: `/run/${name}.sock` };
}

/** The address as others find it: a server binds a relative path in the folder that it enters (`chdir`). */
export function boundAddress(
  address: Address,
  folder: string,
  { chdir = "." }: Pick<Config, "chdir">,
): Address {
  return address.kind === "unix" ? { ...address, path: resolve(folder, chdir, address.path) } : address;
}

/** Formats an address for systemd's `ListenStream=`. */
export function listenStream(address: Address): string {
  return address.kind === "unix" ? address.path : formatAddress(address);
}
