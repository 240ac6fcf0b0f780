/**
 * One deployment as data, which every file is written from: names, places and times are decided here,
 * so that two files cannot contradict each other, nor tsgun's settings.
 */
import { type Address, formatAddress } from "../../config/address.ts";
import type { Config } from "../../config/settings.ts";
import { longestStop } from "../../config/stop-time.ts";
import type { Project } from "./project.ts";

export interface Deployment extends Project {
  /** Where the app lies on the server, absolute. */
  readonly folder: string;
  /** The site's domain. */
  readonly domain: string;
  /** nginx's group, which may connect to the socket. */
  readonly proxyGroup: string;
  /** Where nginx reaches the server, and systemd listens for it. */
  readonly sockets: readonly Address[];
  /** What the configuration file is to say of the addresses, if anything. */
  readonly bind: Address | undefined;
  readonly config: Config;
  /** In containers: the port of the app, and that of the health endpoint. */
  readonly port: number;
  readonly healthPort: number;
}

/** In containers nothing else is listening, so these are never taken. */
export const CONTAINER = { port: 8000, healthPort: 9000, folder: "/app" } as const;

/** What a stop takes beside its workers' time: the arbiter's own end, and some air. In milliseconds. */
const STOP_MARGIN = 10_000;

/** How long after TERM the server may still be there, in whole seconds: more than its own timeouts allow. */
export function stopSeconds({ gracefulTimeout }: Config, drainDelay: number): number {
  return seconds(longestStop({ gracefulTimeout, drainDelay }) + STOP_MARGIN);
}

/** Milliseconds in whole seconds, never less. */
export function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000);
}

/** The socket of a server that says nothing else. */
export function defaultSocket(name: string): Address {
  return { kind: "unix", path: `/run/${name}.sock` };
}

/** As systemd's `ListenStream=` wants it. */
export function listenStream(address: Address): string {
  return address.kind === "unix" ? address.path : formatAddress(address);
}
