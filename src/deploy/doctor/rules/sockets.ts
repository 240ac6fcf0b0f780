/** Whether nginx may connect to the Unix sockets, by configuration and by the existing files. */
import { ownProxyPasses } from "../bound-addresses.ts";
import { type Facts, type NginxUser, type PathStep, settingPlace } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";
import type { Unit } from "../systemd-unit.ts";

const WRITE = 0o2;
const EXECUTE = 0o1;

/** Whether the mode grants `user` these bits. As in the kernel, the first matching class (user, group, other) decides. */
function allows({ mode, uid, gid }: PathStep, user: NginxUser, bits: number): boolean {
  if (user.uid === 0) return true;
  if (user.uid === uid) return (mode & (bits << 6)) !== 0;
  return (mode & (user.gids.includes(gid) ? bits << 3 : bits)) !== 0;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(3, "0");
}

function socketClosed({ machine: { sockets, nginxUser } }: Facts): Match[] {
  if (nginxUser.uid === undefined) return [];
  return sockets
    .filter((socket) => !allows(socket, nginxUser, WRITE))
    .map(({ path, mode, uid, gid }) => ({
      where: path,
      what: `its mode is ${octal(mode)}, its owner user ${uid} and group ${gid}, and nginx runs as ${nginxUser.name} (user ${nginxUser.uid}, groups ${nginxUser.gids.join(", ")})`,
    }));
}

function folderClosed({ machine: { sockets, nginxUser } }: Facts): Match[] {
  if (nginxUser.uid === undefined) return [];
  return sockets.flatMap((socket) =>
    socket.folders
      .filter((folder) => !allows(folder, nginxUser, EXECUTE))
      .map(({ path, mode, uid, gid }) => ({
        where: path,
        what: `nginx, which runs as ${nginxUser.name}, may not enter this folder of the socket ${socket.path}: mode ${octal(mode)}, user ${uid}, group ${gid}`,
        mend: `chmod o+x ${path}, or move the socket, for example to /run`,
      })),
  );
}

/** Compares names, since the accounts may be on another machine. */
function namesAllow(mode: number, owner: string, group: string, user: NginxUser): boolean {
  if (user.name === "root" || (mode & WRITE) !== 0) return true;
  if (user.name === owner) return (mode & (WRITE << 6)) !== 0;
  return (mode & (WRITE << 3)) !== 0 && user.groups.includes(group);
}

function unitClosed(facts: Facts): Match[] {
  const { nginxUser } = facts.machine;
  return facts.socketUnits.filter(hasFile).flatMap((unit): Match[] => {
    const value = (key: string, fallback: string): string => unit.get("Socket", key)?.value ?? fallback;
    const owner = value("SocketUser", "root");
    const [mode, group] = [value("SocketMode", "0666"), value("SocketGroup", owner)];
    if (namesAllow(Number.parseInt(mode, 8), owner, group, nginxUser)) return [];
    return [
      {
        where: unit.where("Socket", "SocketMode", "SocketGroup", "ListenStream"),
        what: `the socket's mode is ${mode}, its owner user ${owner} and group ${group}, and nginx runs as ${nginxUser.name} (groups ${nginxUser.groups.join(", ")})`,
        mend: `write SocketMode=0660 and SocketGroup=${nginxUser.groups[0]}`,
      },
    ];
  });
}

function unitOpen(facts: Facts): Match[] {
  return facts.socketUnits
    .filter(
      (unit) =>
        hasFile(unit) &&
        (Number.parseInt(unit.get("Socket", "SocketMode")?.value ?? "0666", 8) & WRITE) !== 0,
    )
    .map((unit) => ({
      where: unit.where("Socket", "SocketMode", "ListenStream"),
      what: `the socket's mode is ${unit.get("Socket", "SocketMode")?.value ?? "0666, systemd's default"}`,
      mend: `write SocketMode=0660 and SocketGroup=${facts.machine.nginxUser.groups[0]}`,
    }));
}

function hasFile(unit: Unit): boolean {
  return unit.all("Socket", "ListenStream").some(({ value }) => value.startsWith("/"));
}

/** Returns the socket's future owner, if the settings or the unit name one. */
function plannedOwner({
  config,
  services,
}: Facts): { readonly user: string; readonly group: string } | undefined {
  const unit = services[0]?.unit;
  const own = unit?.get("Service", "User")?.value;
  const [user = own, group = unit?.get("Service", "Group")?.value] = config.socketOwner
    ?.split(":")
    .map((name) => (name === "" ? undefined : name)) ?? [config.user, config.group];
  return user === undefined ? undefined : { user, group: group ?? user };
}

function ownerClosed(facts: Facts): Match[] {
  const { config, machine, socketUnits } = facts;
  const behindSocket = ownProxyPasses(facts).some(({ servers }) =>
    servers.some(({ kind }) => kind === "unix"),
  );
  const owner = plannedOwner(facts);
  const sockets = config.bind.filter(({ kind }) => kind === "unix");
  if (!behindSocket || owner === undefined || socketUnits.length > 0 || sockets.length === 0) return [];
  const mode = config.socketMode ?? 0o777 & ~(config.umask ?? 0o022);
  if (namesAllow(mode, owner.user, owner.group, machine.nginxUser)) return [];
  const said = config.socketMode === undefined ? " (what the umask leaves)" : "";
  return [
    {
      where: settingPlace(facts, config.socketOwner === undefined ? "socketMode" : "socketOwner"),
      what: `the socket's mode will be ${octal(mode)}${said}, its owner ${owner.user}:${owner.group}, and nginx runs as ${machine.nginxUser.name} (groups ${machine.nginxUser.groups.join(", ")})`,
      mend: `set socket-mode to 660 and socket-owner to ${owner.user}:${machine.nginxUser.groups[0]}`,
    },
  ];
}

export const SOCKETS: readonly Rule[] = [
  {
    id: "socket-closed",
    level: "error",
    title: "nginx's user may not write to the existing Unix socket, by its mode and owner",
    breaks: 'nginx cannot connect: every request gets 502, and nginx logs "Permission denied".',
    mend: "set socket-mode to 660 and socket-owner to USER:GROUP with one of nginx's groups (in a socket unit: SocketMode, SocketGroup), and restart",
    check: socketClosed,
  },
  {
    id: "socket-folder-closed",
    level: "error",
    title: "a folder on the socket's path has no x bit for nginx's user",
    breaks: 'nginx cannot connect: every request gets 502, and nginx logs "Permission denied".',
    mend: "chmod o+x the folder",
    check: folderClosed,
  },
  {
    id: "socket-owner-closed",
    level: "error",
    title: "`socket-mode`, `socket-owner` and `user` will create a socket that nginx's user may not write to",
    breaks: 'nginx cannot connect: every request gets 502, and nginx logs "Permission denied".',
    mend: "set socket-mode to 660 and socket-owner to USER:GROUP with one of nginx's groups",
    check: ownerClosed,
  },
  {
    id: "systemd-socket-closed",
    level: "error",
    title: "`SocketMode` and `SocketGroup` create a socket that nginx's user may not write to",
    breaks: 'nginx cannot connect: every request gets 502, and nginx logs "Permission denied".',
    mend: "write SocketMode=0660 and SocketGroup= with one of nginx's groups",
    check: unitClosed,
  },
  {
    id: "systemd-socket-open",
    level: "warning",
    title: "`SocketMode` lets every user write (0666 by default)",
    breaks:
      "Every program on the machine can connect to the app without nginx, and its forwarded fields are trusted.",
    mend: "write SocketMode=0660 and SocketGroup= with one of nginx's groups",
    check: unitOpen,
  },
];
