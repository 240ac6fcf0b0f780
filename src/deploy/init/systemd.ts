/** Writes systemd units: a socket that survives restarts, and a service with the least privileges. */
import { QUIT_TIMEOUT_MS } from "../../config/stop-time.ts";
import { type Deployment, listenStream, seconds, stopSeconds } from "./deployment.ts";

/** Longest time between watchdog notifications of the arbiter. */
const WATCHDOG_S = 30;
/** Time for a start on top of `boot-timeout`. */
const START_MARGIN_MS = 30_000;

export function socketUnit({ name, sockets, proxyGroup, config }: Deployment): string {
  const streams = sockets.map((address) => `ListenStream=${listenStream(address)}`).join("\n");
  const owner = sockets.some((address) => address.kind === "unix")
    ? `\n# Only nginx's group may connect: www-data on Debian and Ubuntu, nginx elsewhere.
SocketGroup=${proxyGroup}
SocketMode=0660`
    : "";
  return `# /etc/systemd/system/${name}.socket
# systemd holds the socket: while the service restarts, connections wait and none is refused.
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
  // By which tsgun ps, ctl and why know it, unless the configuration gives a name.
  const naming = config.name === undefined ? ` --name ${name}` : "";
  return `# /etc/systemd/system/${name}.service
[Unit]
Description=${name}, served by tsgun
Requires=${name}.socket
After=network.target ${name}.socket

[Service]
# tsgun notifies systemd when it is ready, reloads and stops: without its optional package koffi through the command
# systemd-notify, a child process, hence all.
Type=notify
NotifyAccess=all
# The service has its own user, who must be able to read this folder.
WorkingDirectory=${folder}
Environment=NODE_ENV=production
ExecStart=${folder}/node_modules/.bin/tsgun${naming}
# Starts new workers next to the old ones; if they fail, the old ones keep serving.
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1s
# 2: a configuration error, which a restart does not fix.
RestartPreventExitStatus=2
TimeoutStartSec=${seconds(config.bootTimeout + START_MARGIN_MS)}s
# Only the arbiter gets TERM, and drains its workers. systemd kills what is left after the timeout, which is longer than
# --graceful-timeout (${seconds(config.gracefulTimeout)}s), --drain-delay (${seconds(config.drainDelay)}s) and the time to cut what is left (${seconds(QUIT_TIMEOUT_MS)}s) together.
KillMode=mixed
TimeoutStopSec=${stopSeconds(config, config.drainDelay)}s
WatchdogSec=${WATCHDOG_S}s
# A worker that is killed for lack of memory is replaced; the service keeps running.
OOMPolicy=continue

# The app may write to /var/lib/${name} ($STATE_DIRECTORY), /var/cache/${name} and its own /tmp.
# /var/lib/${name}/records says why workers died: sudo tsgun why --record-dir /var/lib/${name}/records.
# /run/${name} holds the socket of tsgun ctl.
StateDirectory=${name}
CacheDirectory=${name}
RuntimeDirectory=${name}

# A dedicated user without privileges, and a read-only file system.
DynamicUser=yes
UMask=0077
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateMounts=yes
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
# Neither other users nor other priorities: nothing in the service has a use for them.
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# MemoryDenyWriteExecute cannot be used: V8 generates machine code.

[Install]
WantedBy=multi-user.target
`;
}
