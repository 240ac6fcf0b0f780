/** What this machine says of itself, for `tsgun doctor`: limits, accounts, the modes of sockets and folders. */
import { spawnSync } from "node:child_process";
import { lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import type { Machine, NginxUser, PathStep, SocketFile } from "../deploy/doctor/facts.ts";
import { requireDatagrams } from "../native/datagram-socket.ts";
import { cgroupOf, readText } from "../system/cgroup.ts";
import { cpuLimit } from "../system/cpu-limit.ts";

/** Debian keeps servers in sbin, which is not on everybody's path. */
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const NGINX_CONFIG = "/etc/nginx/nginx.conf";
/** Whom nginx runs as in the packages of distributions. */
const NGINX_USERS = ["www-data", "nginx", "http"];
const LOOKUP_TIMEOUT = 5000;

/**
 * @param user whom nginx runs as, and maybe its group, where its configuration says so
 * @param pid of a server that runs: its control group counts
 */
export function machineFacts(user: readonly string[], pid: number | undefined): Machine {
  const { cpus, source } = cpuLimit("/", undefined, pid ?? "self");
  const somaxconn = readText("/proc/sys/net/core/somaxconn");
  return {
    cpus: { value: cpus, source },
    memory: memoryLimit(pid ?? "self"),
    somaxconn: somaxconn === undefined ? undefined : Number(somaxconn),
    koffi: hasKoffi(),
    addresses: Object.values(networkInterfaces()).flatMap((entries) =>
      (entries ?? []).filter(({ internal }) => !internal).map(({ address }) => address),
    ),
    nginxVersion: nginxVersion(),
    nginxUser: nginxUser(user.length > 0 ? user : installedUser()),
    sockets: [],
  };
}

/** The least of what the group and those above it may have, in bytes. */
function memoryLimit(pid: number | "self"): number | undefined {
  const group = cgroupOf("memory", "/", pid);
  const name = group?.version === 1 ? "memory.limit_in_bytes" : "memory.max";
  const limits = (group?.folders ?? []).map((folder) => Number(readText(join(folder, name)) ?? Number.NaN));
  // Version 1 writes no limit as the largest number of pages.
  const real = limits.filter((limit) => limit > 0 && limit < 2 ** 60);
  return real.length === 0 ? undefined : Math.min(...real);
}

function hasKoffi(): boolean {
  try {
    requireDatagrams();
    return true;
  } catch {
    return false;
  }
}

function ask(command: string, ...args: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    timeout: LOOKUP_TIMEOUT,
    env: { ...process.env, PATH },
  });
  return status === 0 ? `${stdout}${stderr}`.trim() : undefined;
}

function nginxVersion(): Machine["nginxVersion"] {
  const [, ...parts] = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(ask("nginx", "-v") ?? "") ?? [];
  return parts.length === 3 ? (parts.map(Number) as [number, number, number]) : undefined;
}

function installedUser(): readonly string[] {
  const [, name, group] = /^\s*user\s+([^\s;]+)\s*([^\s;]*)/m.exec(readText(NGINX_CONFIG) ?? "") ?? [];
  return [name, group].filter((part) => part !== undefined && part !== "") as string[];
}

/** Numbers and groups of an account; of the usual one where nothing names one. */
function nginxUser([named, group]: readonly string[]): NginxUser {
  const usual = (): string | undefined =>
    NGINX_USERS.find((candidate) => ask("id", "-u", candidate) !== undefined);
  const name = named ?? usual() ?? "www-data";
  // `id` takes no names that look like options.
  const uid = name.startsWith("-") ? undefined : ask("id", "-u", name);
  if (uid === undefined) return { name, uid: undefined, gids: [], groups: [group ?? name] };
  const words = (text: string | undefined): string[] => text?.split(/\s+/) ?? [];
  const gids = words(ask("id", "-G", name)).map(Number);
  const groups = words(ask("id", "-Gn", name));
  const gid = group === undefined ? undefined : ask("getent", "group", group)?.split(":")[2];
  // A group of its own takes the place of the account's first one.
  if (group === undefined || gid === undefined) return { name, uid: Number(uid), gids, groups };
  return {
    name,
    uid: Number(uid),
    gids: [Number(gid), ...gids.slice(1)],
    groups: [group, ...groups.slice(1)],
  };
}

function step(path: string, { mode, uid, gid }: Stats): PathStep {
  return { path, mode: mode & 0o7777, uid, gid };
}

/** A Unix socket with the folders above it; undefined where there is none, or nobody may look. */
export function socketFile(path: string): SocketFile | undefined {
  try {
    const stats = lstatSync(path);
    if (!stats.isSocket()) return undefined;
    const folders: string[] = [];
    for (let folder = dirname(realpathSync(path)); folders[0] !== folder; folder = dirname(folder))
      folders.unshift(folder);
    return { ...step(path, stats), folders: folders.map((folder) => step(folder, statSync(folder))) };
  } catch {
    return undefined;
  }
}
