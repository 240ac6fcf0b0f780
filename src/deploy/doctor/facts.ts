/** All that the rules may know: the configuration, what stands in the files, and how the machine and the server are. */
import type { Address } from "../../config/address.ts";
import { type Config, type SettingName, settingLabel } from "../../config/settings.ts";
import type { StatusReport } from "../../control/api.ts";
import type { Image } from "./dockerfile.ts";
import type { Container, Pod } from "./kubernetes-pods.ts";
import type { NginxSetup } from "./nginx-sites.ts";
import type { Unit } from "./systemd-unit.ts";

/** A configuration, and where its values come from: by the name of the setting; the rest are defaults. */
export interface Start {
  readonly config: Config;
  readonly origins: ReadonlyMap<string, string>;
}

/** A service unit that starts this server, with the configuration that it starts it with. */
export interface Service extends Start {
  readonly unit: Unit;
}

/** A container that runs this server, in its pod. */
export interface PodServer extends Start {
  readonly pod: Pod;
  readonly container: Container;
}

/** Whom nginx's workers run as. */
export interface NginxUser {
  readonly name: string;
  /** Undefined where this machine has no such account. */
  readonly uid: number | undefined;
  readonly gids: readonly number[];
  /** The names of its groups. */
  readonly groups: readonly string[];
}

/** A file or folder on the way to a socket. */
export interface PathStep {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A Unix socket that is there. */
export interface SocketFile extends PathStep {
  /** Every folder from `/` on. */
  readonly folders: readonly PathStep[];
}

export interface Machine {
  /** CPUs' worth of time that there is for this process, and what limits it. */
  readonly cpus: { readonly value: number; readonly source: "affinity" | "cgroup" };
  /** Bytes that the control group may have; undefined for no limit. */
  readonly memory: number | undefined;
  /** net.core.somaxconn; undefined where there is none. */
  readonly somaxconn: number | undefined;
  readonly koffi: boolean;
  /** Its own addresses that are not loopback. */
  readonly addresses: readonly string[];
  /** As three numbers; undefined where nginx is not installed. */
  readonly nginxVersion: readonly [number, number, number] | undefined;
  readonly nginxUser: NginxUser;
  /** The sockets among what is bound that exist. */
  readonly sockets: readonly SocketFile[];
}

export interface WorkerProcess {
  readonly pid: number;
  /** The limit of open files; undefined where it cannot be seen. */
  readonly openFiles: number | undefined;
}

/** The server that runs, by its control socket. */
export interface RunningServer {
  readonly status: StatusReport;
  readonly workers: readonly WorkerProcess[];
  /** systemd handed its sockets over; undefined where that cannot be seen. */
  readonly activated: boolean | undefined;
  /** The variables that its arbiter was started with; undefined where they cannot be seen. */
  readonly environment: Readonly<Record<string, string>> | undefined;
}

export interface Facts extends Start {
  /** Of the tsgun that looks. */
  readonly version: string;
  /** The folder that the server is started in, which relative paths of sockets start from. */
  readonly folder: string;
  readonly nginx: NginxSetup;
  readonly services: readonly Service[];
  readonly socketUnits: readonly Unit[];
  readonly pods: readonly PodServer[];
  /** What the Dockerfile in the folder builds. */
  readonly image: Image | undefined;
  /** The packages that package.json names for production. */
  readonly dependencies: readonly string[];
  /** NODE_ENV of the shell that looks. */
  readonly nodeEnv: string | undefined;
  /** Where the server listens by all of these: its own addresses, or those that systemd holds for it. */
  readonly bound: readonly Address[];
  readonly machine: Machine;
  readonly server: RunningServer | undefined;
}

/** A setting for people, with the place that says so: `keep-alive (from tsgun.config.ts)`. */
export function settingPlace({ origins }: Pick<Start, "origins">, name: SettingName): string {
  return `${settingLabel(name)} (${origins.get(name) ?? "default"})`;
}
