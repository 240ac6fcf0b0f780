/** The machine, and the server that runs on it. */
import { formatAddress } from "../../../config/address.ts";
import { type Facts, settingPlace } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";
import { filesNeeded } from "./systemd-service.ts";

function cpus(facts: Facts): Match[] {
  const { workers } = facts.config;
  const { value, source } = facts.machine.cpus;
  if (workers === "auto" || workers <= 2 * Math.ceil(value)) return [];
  const limit = source === "cgroup" ? "by its control group's quota" : "by its affinity mask";
  return [{ where: settingPlace(facts, "workers"), what: `${workers} workers on ${value} CPUs (${limit})` }];
}

function memory(facts: Facts): Match[] {
  const { maxMemory, workers } = facts.config;
  const {
    memory: limit,
    cpus: { value },
  } = facts.machine;
  const count = workers === "auto" ? Math.max(1, Math.ceil(value)) : workers;
  if (limit === undefined || maxMemory === 0 || maxMemory === "auto" || maxMemory * count <= limit) return [];
  const what = `${count} workers may use ${maxMemory} bytes each, but the control group only ${limit}`;
  return [{ where: settingPlace(facts, "maxMemory"), what }];
}

function somaxconn(facts: Facts): Match[] {
  const { somaxconn: limit } = facts.machine;
  const { backlog } = facts.config;
  if (limit === undefined || limit >= backlog) return [];
  const what = `${backlog} connections should be able to wait, but the system allows ${limit} (net.core.somaxconn)`;
  return [
    {
      where: settingPlace(facts, "backlog"),
      what,
      mend: `sysctl net.core.somaxconn=${backlog}, or lower backlog`,
    },
  ];
}

function koffi({ machine, services, config }: Facts): Match[] {
  if (machine.koffi) return [];
  const notifying = services
    .filter(({ unit }) => unit.type.startsWith("notify"))
    .map(({ unit }) => ({
      where: unit.where("Service", "Type"),
      what: "systemd is notified by the command systemd-notify",
    }));
  const { logSyslog, logSyslogTo } = config;
  const datagrams = logSyslog && logSyslogTo.transport === "unix" && logSyslogTo.type !== "stream";
  return [
    ...notifying,
    ...(datagrams
      ? [{ where: "log-syslog-to", what: "the system's syslog usually accepts datagrams only" }]
      : []),
  ];
}

function openFiles({ config, server }: Facts): Match[] {
  const needed = filesNeeded(config);
  const short = (server?.workers ?? []).filter(
    ({ openFiles: limit }) => limit !== undefined && limit < needed,
  );
  if (server === undefined || config.workerConnections === 0 || short.length === 0) return [];
  const [{ openFiles: limit } = { openFiles: 0 }] = short;
  const what = `its workers may open ${limit} files each, too few for ${config.workerConnections} connections (worker-connections)`;
  return [{ where: serverName(server.status.pid), what }];
}

function serverName(pid: number): string {
  return `the server (pid ${pid})`;
}

function listensElsewhere({ config, origins, server, socketUnits }: Facts): Match[] {
  if (server === undefined || server.activated !== false || socketUnits.length > 0 || !origins.has("bind"))
    return [];
  const listening = server.status.listening.map((url) => url.replace(/^http:\/\//, ""));
  // A name may stand for any address, and port 0 for any port.
  const wanted = config.bind.filter(
    (address) => address.kind === "unix" || (address.port !== 0 && /^[\d.:]+$/.test(address.host)),
  );
  const missing = wanted.map(formatAddress).filter((address) => !listening.includes(address));
  if (missing.length === 0) return [];
  const what = `it listens at ${listening.join(", ")}, not at ${missing.join(", ")} (bind)`;
  return [{ where: serverName(server.status.pid), what }];
}

function workersMissing({ server }: Facts): Match[] {
  if (server === undefined || !["serving", "down"].includes(server.status.state)) return [];
  const { ready, target } = server.status.workers;
  return ready >= target
    ? []
    : [{ where: serverName(server.status.pid), what: `${ready} of ${target} workers are ready` }];
}

function oldVersion({ server, version }: Facts): Match[] {
  if (server === undefined || server.status.version === version) return [];
  return [
    {
      where: serverName(server.status.pid),
      what: `it runs tsgun ${server.status.version}, but ${version} is installed`,
    },
  ];
}

export const MACHINE: readonly Rule[] = [
  {
    id: "machine-cpus",
    level: "warning",
    title: "`workers` is more than twice the number of CPUs, by affinity and control group",
    breaks: "Workers compete for the CPUs: they waste memory, and responses take longer under load.",
    mend: "set workers to auto",
    check: cpus,
  },
  {
    id: "machine-memory",
    level: "warning",
    title: "`max-memory` times `workers` exceeds the control group's memory limit",
    breaks: "The kernel kills processes before tsgun replaces workers that have grown.",
    mend: "lower max-memory or workers, or raise the limit (MemoryMax)",
    check: memory,
  },
  {
    id: "machine-somaxconn",
    level: "warning",
    title: "net.core.somaxconn is below `backlog`",
    breaks:
      "In a burst or during a restart, fewer connections can wait than configured; others are refused or retry after a second.",
    mend: "raise net.core.somaxconn, or lower backlog",
    check: somaxconn,
  },
  {
    id: "machine-koffi",
    level: "warning",
    title: "systemd or a datagram syslog is used, but the package koffi is not installed",
    breaks:
      "Every notification of systemd, including the watchdog's, starts a process; a datagram syslog gets nothing.",
    mend: "npm install koffi",
    check: koffi,
  },
  {
    id: "server-open-files",
    level: "error",
    title: "the running workers' limit of open files is below `worker-connections` plus 100",
    breaks: "A busy worker cannot accept connections or open files (EMFILE): errors under load.",
    mend: "raise the limit where the server is started (LimitNOFILE, ulimit -Hn), or lower worker-connections",
    check: openFiles,
  },
  {
    id: "server-elsewhere",
    level: "warning",
    title: "the running server does not listen at `bind`",
    breaks:
      "The configuration has changed since the start: the next restart moves the server, possibly away from nginx.",
    mend: "restart the server when nginx points to the new address: a reload does not change bind",
    check: listensElsewhere,
  },
  {
    id: "server-workers",
    level: "warning",
    title: "the running server has fewer ready workers than `workers`",
    breaks: "Workers crash or fail to boot, and the others carry their load.",
    mend: "read its log",
    check: workersMissing,
  },
  {
    id: "server-version",
    level: "warning",
    title: "the running server has another version than the installed tsgun",
    breaks: "After the next reload, workers run the new version and the arbiter the old one.",
    mend: "tsgun ctl upgrade",
    check: oldVersion,
  },
];
