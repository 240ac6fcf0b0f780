/** Writes systemd units: a socket that survives restarts, and a service with the least privileges. */
import { QUIT_TIME } from "../../config/stop-time.ts";
import { type Deployment, listenStream, seconds, stopSeconds } from "./deployment.ts";

/** Longest time between watchdog notifications of the arbiter. */
const WATCHDOG_S = 30;
/** Time for a start on top of `boot-timeout`. */
const START_MARGIN_MS = 30_000;

export function socketUnit({ name, sockets, proxyGroup, config }: Deployment): string {
  const streams = sockets.map((address) => `ListenStream=${listenStream(address)}`).join("\n");
  const owner = sockets.some((address) => address.kind === "unix")
    ? `\n# nginx may connect and nobody else: its group is www-data on Debian and Ubuntu, nginx elsewhere.
SocketGroup=${proxyGroup}
SocketMode=0660`
    : "";
  return `# /etc/systemd/system/${name}.socket
# Held by systemd: while the service is restarted, connections wait and none is refused.
[Unit]
Description=Socket of ${name}

[Socket]
${streams}${owner}
Backlog=${config.backlog}

[Install]
WantedBy=sockets.target
`;
}

export function serviceUnit({ name, folder, config }: Deployment): string {
  return `# /etc/systemd/system/${name}.service
[Unit]
Description=${name}, served by tsgun
Requires=${name}.socket
After=network.target ${name}.socket

[Service]
# tsgun says when it serves, reloads and stops. Without its optional package koffi the command
# systemd-notify, a child process, says it: hence all.
Type=notify
NotifyAccess=all
# The service has a user of its own: everybody has to be able to read this folder.
WorkingDirectory=${folder}
Environment=NODE_ENV=production
ExecStart=${folder}/node_modules/.bin/tsgun
# A new version beside the old one; if it does not come up, the old one serves on.
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1s
# 2: the configuration is wrong, and stays wrong.
RestartPreventExitStatus=2
TimeoutStartSec=${seconds(config.bootTimeout + START_MARGIN_MS)}s
# The arbiter is told to stop, and drains its workers; what is left behind the time is killed. The time is more than
# --graceful-timeout (${seconds(config.gracefulTimeout)}s), --drain-delay (${seconds(config.drainDelay)}s) and the time to cut what is left (${seconds(QUIT_TIME)}s) together.
KillMode=mixed
TimeoutStopSec=${stopSeconds(config, config.drainDelay)}s
WatchdogSec=${WATCHDOG_S}s
# A worker that is out of memory is replaced; the service goes on.
OOMPolicy=continue

# What the app may write: /var/lib/${name} ($STATE_DIRECTORY), /var/cache/${name}, and a /tmp of its own.
# /run/${name} holds the socket of tsgun ctl.
StateDirectory=${name}
CacheDirectory=${name}
RuntimeDirectory=${name}

# A user of its own, without rights, and a file system that it can only read.
DynamicUser=yes
UMask=0077
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# MemoryDenyWriteExecute is missing: V8 compiles JavaScript to code as it runs.

[Install]
WantedBy=multi-user.target
`;
}
