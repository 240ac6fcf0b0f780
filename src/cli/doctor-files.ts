/** Looks at the files that the server trusts, for the rules of `tsgun doctor`: who may write them, or replace them. */
import { realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Config, SettingName } from "../config/settings.ts";
import type {
  RunningServer,
  Service,
  TrustedFile,
  TrustedFiles,
  WritableStep,
} from "../deploy/doctor/facts.ts";
import { locateEnvFile } from "../loader/env-file.ts";
import { output } from "./doctor-machine.ts";

/** The files of a server, and how it is started. */
export interface TrustedFilesOptions {
  readonly config: Config;
  /** The folder that names of certificates and keys are in. */
  readonly folder: string;
  readonly services: readonly Service[];
  readonly server: RunningServer | undefined;
}

export function trustedFiles(options: TrustedFilesOptions): TrustedFiles {
  const isShared = new SharedGroups();
  const files = [...namedFiles(options)].flatMap(([path, setting]) => examine(path, setting, isShared) ?? []);
  return { owners: files.length === 0 ? [] : ownersOf(options), files };
}

/** Absolute paths, with the setting that names each. */
function namedFiles({ config, folder }: TrustedFilesOptions): Map<string, SettingName> {
  const { certfile = [], keyfile = [], envFile = [], keyfilePasswordFile, caCerts } = config;
  const { config: source, adminTokenFile, adminCertfile, adminKeyfile } = config;
  const here = (file: string | undefined): string[] => (file === undefined ? [] : [resolve(file)]);
  const inFolder = (file: string | undefined): string[] =>
    file === undefined ? [] : [resolve(folder, file)];
  const configuration = typeof source === "string" && !source.startsWith("module:") ? source : undefined;
  const all: readonly [SettingName, readonly string[]][] = [
    ["config", here(configuration?.replace(/^file:(?:\/\/)?/, ""))],
    ["envFile", envFile.map((name) => locateEnvFile(name, ".").path)],
    ["certfile", certfile.flatMap(inFolder)],
    ["keyfile", keyfile.flatMap(inFolder)],
    ["keyfilePasswordFile", inFolder(keyfilePasswordFile)],
    ["caCerts", inFolder(caCerts)],
    ["adminCertfile", here(adminCertfile)],
    ["adminKeyfile", here(adminKeyfile)],
    ["adminTokenFile", here(adminTokenFile)],
  ];
  const named = new Map<string, SettingName>();
  for (const [setting, paths] of all)
    for (const path of paths) if (!named.has(path)) named.set(path, setting);
  return named;
}

/** Root, the user as whom the server starts, and the one who looks. */
function ownersOf({ services, server }: TrustedFilesOptions): number[] {
  const users = services.flatMap(({ unit }) => unit.get("Service", "User")?.value ?? []);
  const ids = users.flatMap((user) => (user.startsWith("-") ? [] : (output("id", "-u", user) ?? [])));
  const running = server && statOf(`/proc/${server.status.pid}`)?.uid;
  return [0, ...ids.map(Number), ...[running, process.getuid?.()].filter((uid) => uid !== undefined)];
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Returns undefined for a file that does not exist or cannot be looked at. */
function examine(path: string, setting: SettingName, shared: SharedGroups): TrustedFile | undefined {
  const stats = statOf(path);
  if (stats?.isFile() !== true) return undefined;
  // Everyone who may replace a link, or what it points to.
  const real = realPathOf(path);
  const folders = [...new Set([...foldersOf(path), ...foldersOf(real)])];
  const steps = folders.map((folder) => step(folder, statOf(folder), shared));
  return {
    ...(step(real, stats, shared) as WritableStep),
    setting,
    folders: steps.filter((each) => each !== undefined),
  };
}

/** The path itself if the file is gone by now. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(path); folders[0] !== folder; folder = dirname(folder)) folders.unshift(folder);
  return folders;
}

function step(path: string, stats: Stats | undefined, shared: SharedGroups): WritableStep | undefined {
  if (stats === undefined) return undefined;
  const { mode, uid, gid } = stats;
  const isShared = (mode & 0o020) !== 0 && shared.has(gid, uid);
  return { path, mode: mode & 0o7777, uid, gid, isShared };
}

/** Groups with members; asks the system once for each. */
class SharedGroups {
  readonly #known = new Map<string, boolean>();

  /** Whether it has members beside `owner` and root. A group that the owner has for itself has the owner's name. */
  has(gid: number, owner: number): boolean {
    if (gid === 0) return false;
    const key = `${gid} ${owner}`;
    const known = this.#known.get(key) ?? isShared(gid, owner);
    this.#known.set(key, known);
    return known;
  }
}

function isShared(gid: number, owner: number): boolean {
  const [group, , , members = ""] = output("getent", "group", String(gid))?.split(":") ?? [];
  const [user] = output("getent", "passwd", String(owner))?.split(":") ?? [];
  const others = members.split(",").filter((member) => member !== "" && member !== user && member !== "root");
  return others.length > 0 || group === undefined || group !== user;
}
