/** Facts about this machine for `tsgun doctor`: limits, accounts, the modes of sockets and folders. */
import { spawnSync } from "node:child_process";
import { lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import type { ExaminedSocket, Machine, NginxUser, PathStep } from "../deploy/doctor/facts.ts";
import { requireDatagrams } from "../native/datagram-socket.ts";
import { readText } from "../system/cgroup.ts";
import { cpuLimit } from "../system/cpu-limit.ts";
import { memoryLimit } from "../system/memory-limit.ts";

/** Debian installs nginx in sbin, which is not in every user's PATH. */
const SEARCH_PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const NGINX_CONFIG = "/etc/nginx/nginx.conf";
/** nginx's user in the distributions' packages. */
const NGINX_USERS = ["www-data", "nginx", "http"];
const LOOKUP_TIMEOUT_MS = 5000;

/**
 * @param user nginx's user and optional group from its configuration; may be empty
 * @param pid of the running server: its control group's limits are used
 */
export function machineFacts(user: readonly string[], pid: number | undefined): Omit<Machine, "trusted"> {
  const { cpus, source } = cpuLimit("/", undefined, pid ?? "self");
  const somaxconn = readText("/proc/sys/net/core/somaxconn");
  return {
    cpus: { value: cpus, source },
    memory: memoryLimit("/", pid ?? "self"),
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

function hasKoffi(): boolean {
  try {
    requireDatagrams();
    return true;
  } catch {
    return false;
  }
}

export function output(command: string, ...args: readonly string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    timeout: LOOKUP_TIMEOUT_MS,
    env: { ...process.env, PATH: SEARCH_PATH },
  });
  return status === 0 ? `${stdout}${stderr}`.trim() : undefined;
}

function nginxVersion(): Machine["nginxVersion"] {
  const [, ...parts] = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(output("nginx", "-v") ?? "") ?? [];
  return parts.length === 3 ? (parts.map(Number) as [number, number, number]) : undefined;
}

function installedUser(): readonly string[] {
  const [, name, group] = /^\s*user\s+([^\s;]+)\s*([^\s;]*)/m.exec(readText(NGINX_CONFIG) ?? "") ?? [];
  return [name, group].filter((part) => part !== undefined && part !== "") as string[];
}

/** Looks up the named account, or the distribution's usual one, with its ids and groups. */
function nginxUser([named, group]: readonly string[]): NginxUser {
  const usual = (): string | undefined =>
    NGINX_USERS.find((candidate) => output("id", "-u", candidate) !== undefined);
  const name = named ?? usual() ?? "www-data";
  // `id` would parse a name with a leading dash as an option.
  const uid = name.startsWith("-") ? undefined : output("id", "-u", name);
  if (uid === undefined) return { name, uid: undefined, gids: [], groups: [group ?? name] };
  const words = (text: string | undefined): string[] => text?.split(/\s+/) ?? [];
  const gids = words(output("id", "-G", name)).map(Number);
  const groups = words(output("id", "-Gn", name));
  const gid = group === undefined ? undefined : output("getent", "group", group)?.split(":")[2];
  // The group from the configuration replaces the account's primary one.
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

/** Returns the Unix socket with its parent folders, or undefined if it does not exist or cannot be read. */
export function socketFile(path: string): ExaminedSocket | undefined {
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
