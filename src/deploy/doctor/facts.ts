/** The input of the rules: the configuration, the parsed files, the state of the machine and of the server. */
import type { Address } from "../../config/address.ts";
import { type Config, type SettingName, settingLabel } from "../../config/settings.ts";
import type { StatusReport } from "../../control/api.ts";
import type { CertificateMaterial } from "../../ipc/tls-material.ts";
import type { CertificateStrength } from "../../tls/strength.ts";
import type { Image } from "./dockerfile.ts";
import type { Container, Pod } from "./kubernetes-pods.ts";
import type { NginxSetup } from "./nginx-sites.ts";
import type { Unit } from "./systemd-unit.ts";

/** A configuration and the origin of each value by setting name. Settings without an origin have their default. */
export interface Start {
  readonly config: Config;
  readonly origins: ReadonlyMap<string, string>;
}

/** A service unit that starts this server, and the resulting configuration. */
export interface Service extends Start {
  readonly unit: Unit;
}

/** A container that runs this server, and its pod. */
export interface PodServer extends Start {
  readonly pod: Pod;
  readonly container: Container;
}

/** The user of nginx's worker processes. */
export interface NginxUser {
  readonly name: string;
  /** Undefined if this machine has no such account. */
  readonly uid: number | undefined;
  readonly gids: readonly number[];
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

/** An existing Unix socket. */
export interface ExaminedSocket extends PathStep {
  /** All parent folders, starting at `/`. */
  readonly folders: readonly PathStep[];
}

export type ExaminedCertificate = Pick<CertificateMaterial, "file" | "names" | "notAfter">;

/** The certificates of a file, in its order. */
export interface ExaminedChain {
  readonly file: string;
  readonly links: readonly CertificateStrength[];
}

export interface ExaminedCertificates {
  /** When they were read, in milliseconds since 1970. */
  readonly now: number;
  readonly found: readonly ExaminedCertificate[];
  /** The certificate of the admin listener, if it has one. */
  readonly admin: readonly ExaminedCertificate[];
  /** All that can be parsed, also where something else prevents serving. */
  readonly chains: readonly ExaminedChain[];
  readonly warnings: readonly string[];
  /** Why the server would not start with them. */
  readonly fault?: string;
}

/** A file or folder that others than its owner might write. */
export interface WritableStep extends PathStep {
  /** Whether its group has members beside its owner and root. */
  readonly isShared: boolean;
}

/** A file that the server reads, and trusts: what a symbolic link points to. */
export interface TrustedFile extends WritableStep {
  /** The setting that names it. */
  readonly setting: SettingName;
  /** All folders on the way to it, and on that to the link. */
  readonly folders: readonly WritableStep[];
}

export interface TrustedFiles {
  /** User ids: root, the user as whom the server starts, and the one who runs doctor. */
  readonly owners: readonly number[];
  readonly files: readonly TrustedFile[];
}

export interface Machine {
  /** CPUs available to this process, and what limits them. */
  readonly cpus: { readonly value: number; readonly source: "affinity" | "cgroup" };
  /** Memory limit of the control group in bytes; undefined for none. */
  readonly memory: number | undefined;
  /** net.core.somaxconn; undefined if the system has none. */
  readonly somaxconn: number | undefined;
  readonly koffi: boolean;
  /** The machine's addresses except loopback. */
  readonly addresses: readonly string[];
  /** Major, minor, patch; undefined if nginx is not installed. */
  readonly nginxVersion: readonly [number, number, number] | undefined;
  readonly nginxUser: NginxUser;
  /** The bound Unix sockets that exist. */
  readonly sockets: readonly ExaminedSocket[];
  /** The files of TLS; absent without TLS. */
  readonly certificates?: ExaminedCertificates;
  /** Configuration, certificates, keys and tokens. */
  readonly trusted: TrustedFiles;
}

export interface RunningWorker {
  readonly pid: number;
  /** The limit of open files; undefined if it cannot be read. */
  readonly openFiles: number | undefined;
}

/** The running server, as reported over its control socket. */
export interface RunningServer {
  readonly status: StatusReport;
  readonly workers: readonly RunningWorker[];
  /** Whether systemd passed the sockets; undefined if that cannot be determined. */
  readonly activated: boolean | undefined;
  /** The arbiter's initial environment; undefined if it cannot be read. */
  readonly environment: Readonly<Record<string, string>> | undefined;
}

export interface Facts extends Start {
  /** Version of the tsgun that runs doctor. */
  readonly version: string;
  /** The server's working folder: relative socket paths resolve against it. */
  readonly folder: string;
  readonly nginx: NginxSetup;
  readonly services: readonly Service[];
  readonly socketUnits: readonly Unit[];
  readonly pods: readonly PodServer[];
  /** The image built by the folder's Dockerfile. */
  readonly image: Image | undefined;
  /** Names of the production dependencies in package.json. */
  readonly dependencies: readonly string[];
  /** NODE_ENV of the shell that runs doctor. */
  readonly nodeEnv: string | undefined;
  /** The addresses the server listens on: its own, or those that systemd holds for it. */
  readonly bound: readonly Address[];
  readonly machine: Machine;
  readonly server: RunningServer | undefined;
}

/** Formats a setting with its origin: `keep-alive (from tsgun.config.ts)`. */
export function settingPlace({ origins }: Pick<Start, "origins">, name: SettingName): string {
  return `${settingLabel(name)} (${origins.get(name) ?? "default"})`;
}
