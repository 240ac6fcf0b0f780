/** systemd's units: the service, and the owner and mode of its socket. */
import type { Situation } from "../../support/doctor.ts";
import type { Case } from "./rule-case.ts";

const GOOD = [
  "Type=notify",
  "NotifyAccess=all",
  "ExecStart=/srv/shop/node_modules/.bin/tsgun",
  "ExecReload=/bin/kill -HUP $MAINPID",
  "KillMode=mixed",
  "TimeoutStopSec=45s",
  "Restart=on-failure",
];

/** Line 1 is the section, the lines of GOOD begin in line 2; others take their place, or follow. */
function service(lines: readonly string[], without?: string): string {
  const keyOf = (line: string): string => line.replace(/=.*$/, "");
  const kept = GOOD.filter((line) => keyOf(line) !== without).map(
    (line) => lines.find((other) => keyOf(other) === keyOf(line)) ?? line,
  );
  return ["[Service]", ...kept, ...lines.filter((line) => !kept.includes(line))].join("\n");
}

const good: Situation = { service: service([]) };

/** Makes a case of one line, in the place of another or behind all of them. */
function line(rule: string, text: string, where: string, says: RegExp, more: Situation = {}): Case {
  return {
    rule,
    what: text,
    ill: { ...more, service: service([text]) },
    well: { ...more, ...good },
    where,
    says,
  };
}

function lacking(rule: string, key: string, where: string, says: RegExp, more: Situation = {}): Case {
  return {
    rule,
    what: `no ${key}`,
    ill: { ...more, service: service([], key) },
    well: { ...more, ...good },
    where,
    says,
  };
}

const SOCKET = "[Socket]\nListenStream=/run/shop.sock\nSocketGroup=www-data\nSocketMode=0660\n";
const PLANNED =
  "upstream shop {\n  server unix:/run/shop.sock;\n}\nlocation / {\n  proxy_pass http://shop;\n}\n";

export const SYSTEMD_CASES: readonly Case[] = [
  line("systemd-stop-timeout", "TimeoutStopSec=30", "shop.service:7", /after 30s .* may take 35s to stop/),
  {
    rule: "systemd-stop-timeout",
    what: "systemd's default of 90s; infinity is enough",
    ill: { service: service([], "TimeoutStopSec"), config: { drainDelay: "70s", gracefulTimeout: "20s" } },
    well: {
      service: service(["TimeoutStopSec=infinity"]),
      config: { drainDelay: "70s", gracefulTimeout: "20s" },
    },
    where: "shop.service:4",
    says: /after 90s .* graceful-timeout 20s, drain-delay 70s, 5s to cut/,
  },
  {
    rule: "systemd-start-timeout",
    what: "a longer boot than systemd's 90s",
    ill: { ...good, config: { bootTimeout: "2m" } },
    well: { service: service(["TimeoutStartSec=2min 30s"]), config: { bootTimeout: "2m" } },
    where: "shop.service:4",
    says: /gives up after 90s .* take 120s to boot/,
  },
  line("systemd-notify-access", "NotifyAccess=none", "shop.service:3", /accepts none/),
  line("systemd-notify-access", "NotifyAccess=main", "shop.service:3", /without the package koffi/, {
    machine: { koffi: false },
  }),
  lacking("systemd-notify-access", "NotifyAccess", "shop.service:2", /NotifyAccess=main/, {
    machine: { koffi: false },
  }),
  {
    rule: "systemd-notify-access",
    what: "a watchdog of a simple service",
    ill: { service: service(["Type=simple", "WatchdogSec=30"], "NotifyAccess"), machine: { koffi: false } },
    well: { service: service(["Type=simple"], "NotifyAccess"), machine: { koffi: false } },
    where: "shop.service:2",
    says: /NotifyAccess=main/,
  },
  line("systemd-notify-main", "NotifyAccess=main", "shop.service:3", /only the main process/),
  line("systemd-type", "Type=exec", "shop.service:2", /Type=exec/),
  lacking("systemd-type", "Type", "shop.service:3", /Type=simple/),
  {
    rule: "systemd-daemon",
    what: "daemon and Type=notify",
    ill: { ...good, config: { daemon: true } },
    well: { service: service(["Type=forking"]), config: { daemon: true } },
    where: "shop.service:2",
    says: /runs in the background/,
  },
  line("systemd-daemon", "Type=forking", "shop.service:2", /stays in the foreground/),
  line("systemd-kill-mode", "KillMode=process", "shop.service:6", /KillMode=process/),
  lacking("systemd-kill-mode", "KillMode", "shop.service:4", /control-group, its default/),
  {
    rule: "systemd-watchdog",
    what: "two seconds",
    ill: { service: service(["WatchdogSec=2s"]) },
    well: { service: service(["WatchdogSec=30s"]) },
    where: "shop.service:9",
    says: /every 2s/,
  },
  {
    rule: "systemd-open-files",
    what: "the hard limit counts",
    ill: { service: service(["LimitNOFILE=1024"]) },
    well: { service: service(["LimitNOFILE=1024:4096"]) },
    where: "shop.service:9",
    says: /1024 files .* 1000 connections/,
  },
  {
    rule: "systemd-private-tmp",
    what: "a socket in /tmp",
    ill: { service: service(["PrivateTmp=yes"]), config: { bind: "unix:/tmp/shop.sock" } },
    well: { service: service(["PrivateTmp=yes"]), config: { bind: "unix:/run/shop.sock" } },
    where: "shop.service:9",
    says: /PrivateTmp=yes.*\/tmp\/shop\.sock/,
  },
  line("systemd-wrapped", "ExecStart=/usr/bin/npx tsgun", "shop.service:4", /starts npx/),
  {
    rule: "systemd-wrapped",
    what: "a shell that becomes it",
    ill: { service: service(["ExecStart=/bin/sh -c 'tsgun app.ts'"]) },
    well: { service: service(["ExecStart=/bin/sh -c 'exec tsgun app.ts'"]) },
    where: "shop.service:4",
    says: /starts sh/,
  },
  lacking("systemd-no-reload", "ExecReload", "shop.service:4", /no ExecReload/),
  {
    rule: "systemd-no-reload",
    what: "notify-reload sends the signal itself",
    ill: { service: service([], "ExecReload") },
    well: { service: service(["Type=notify-reload"], "ExecReload") },
    where: "shop.service:4",
    says: /no ExecReload/,
  },
  lacking("systemd-no-restart", "Restart", "shop.service:4", /Restart=no/),
  line("systemd-no-jit", "MemoryDenyWriteExecute=yes", "shop.service:9", /MemoryDenyWriteExecute=yes/),
  {
    rule: "systemd-socket-closed",
    what: "another group than nginx's",
    ill: { socket: SOCKET.replace("www-data", "shop") },
    well: { socket: SOCKET },
    where: "shop.socket:4",
    says: /mode is 0660, its owner user root and group shop, and nginx runs as www-data/,
  },
  {
    rule: "systemd-socket-closed",
    what: "nginx as root may do anything",
    ill: { socket: "[Socket]\nSocketMode=0600\nListenStream=/run/shop.sock" },
    well: {
      socket: "[Socket]\nSocketMode=0600\nListenStream=/run/shop.sock",
      machine: { nginxUser: { name: "root", uid: 0, gids: [0], groups: ["root"] } },
    },
    where: "shop.socket:2",
    says: /0600/,
  },
  {
    rule: "systemd-socket-open",
    what: "systemd's default mode",
    ill: { socket: "[Socket]\nListenStream=/run/shop.sock" },
    well: { socket: SOCKET },
    where: "shop.socket:2",
    says: /0666, systemd's default/,
  },
  {
    rule: "socket-owner-closed",
    what: "what the umask leaves, to the service's user",
    ill: {
      nginx: PLANNED,
      service: service(["User=shop"]),
      config: { bind: "unix:/run/shop.sock" },
    },
    well: {
      nginx: PLANNED,
      service: service(["User=shop"]),
      config: { bind: "unix:/run/shop.sock", socketMode: "660", socketOwner: "shop:www-data" },
    },
    where: "socket-mode (default)",
    says: /will be 755 \(what the umask leaves\), its owner shop:shop/,
  },
  {
    rule: "socket-owner-closed",
    what: "a group that nginx is not in",
    ill: {
      nginx: PLANNED,
      config: { bind: "unix:/run/shop.sock", socketMode: "660", socketOwner: "shop:shop" },
    },
    well: {
      nginx: PLANNED,
      config: { bind: "unix:/run/shop.sock", socketMode: "666", socketOwner: "shop:shop" },
    },
    where: "socket-owner (tsgun.config.ts)",
    says: /will be 660, its owner shop:shop/,
  },
];
