/** The service: start, notification, stop and sandbox. */
import type { Config } from "../../../config/settings.ts";
import type { Facts } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";
import type { Unit } from "../systemd-unit.ts";
import { eachService, notifies } from "./each-service.ts";

/** Files a worker opens in addition to its connections: modules, logs, sockets, a database. */
const FILES_MARGIN = 100;

/** Returns the effective NotifyAccess. WatchdogSec implies `main` if it is not set. */
function effectiveNotifyAccess(unit: Unit): string {
  const listens = notifies(unit) || unit.get("Service", "WatchdogSec") !== undefined;
  return unit.get("Service", "NotifyAccess")?.value ?? (listens ? "main" : "none");
}

function notifyAccess(facts: Facts): Match[] {
  return eachService(facts, ["NotifyAccess", "Type"], ({ unit }) => {
    const who = effectiveNotifyAccess(unit);
    if ((!notifies(unit) && unit.get("Service", "WatchdogSec") === undefined) || who === "all")
      return undefined;
    if (who === "none") return "systemd waits for a notification, but accepts none (NotifyAccess=none)";
    if (facts.machine.koffi) return undefined;
    return `only the main process may notify systemd (NotifyAccess=${who}), but without the package koffi its child systemd-notify does`;
  });
}

function notifyMain(facts: Facts): Match[] {
  return eachService(facts, ["NotifyAccess", "Type"], ({ unit }) =>
    notifies(unit) && facts.machine.koffi && !["all", "none"].includes(effectiveNotifyAccess(unit))
      ? `only the main process may notify systemd (NotifyAccess=${effectiveNotifyAccess(unit)})`
      : undefined,
  );
}

function plainType(facts: Facts): Match[] {
  return eachService(facts, ["Type", "ExecStart"], ({ unit, config }) =>
    notifies(unit) || unit.type === "forking" || config.daemon
      ? undefined
      : `the service has Type=${unit.type}`,
  );
}

function daemon(facts: Facts): Match[] {
  return eachService(facts, ["Type", "ExecStart"], ({ unit, config }) => {
    if (config.daemon && unit.type !== "forking")
      return `tsgun runs in the background (daemon), but the service has Type=${unit.type}`;
    if (!config.daemon && unit.type === "forking")
      return "the service has Type=forking, but tsgun stays in the foreground";
    return undefined;
  });
}

function killMode(facts: Facts): Match[] {
  return eachService(facts, ["KillMode", "ExecStart"], ({ unit }) => {
    const mode = unit.get("Service", "KillMode")?.value ?? "control-group";
    if (mode === "mixed") return undefined;
    return mode === "control-group"
      ? "systemd stops the workers as well as the arbiter (KillMode=control-group, its default)"
      : `systemd leaves processes behind that do not exit (KillMode=${mode})`;
  });
}

/** Returns the hard limit. Node raises the soft limit to it at start-up. */
function hardLimit(unit: Unit): number | undefined {
  const [soft, hard = soft] = unit.get("Service", "LimitNOFILE")?.value.split(":") ?? [];
  return hard === undefined || hard === "infinity" || !/^\d+$/.test(hard) ? undefined : Number(hard);
}

/** Returns the number of open files that a worker needs at full load. */
export function filesNeeded({ workerConnections }: Pick<Config, "workerConnections">): number {
  return workerConnections + FILES_MARGIN;
}

function openFiles(facts: Facts): Match[] {
  return eachService(facts, ["LimitNOFILE"], ({ unit, config }) => {
    const limit = hardLimit(unit);
    const needed = filesNeeded(config);
    if (limit === undefined || config.workerConnections === 0 || limit >= needed) return undefined;
    return {
      what: `a worker may open ${limit} files (LimitNOFILE), too few for ${config.workerConnections} connections (worker-connections)`,
      mend: `write LimitNOFILE=${Math.max(needed, 65_536)}, or remove it`,
    };
  });
}

function privateTmp(facts: Facts): Match[] {
  if (facts.socketUnits.length > 0) return [];
  return eachService(facts, ["PrivateTmp", "DynamicUser"], ({ unit, config }) => {
    const [socket] = config.bind.filter(
      (address) => address.kind === "unix" && /^\/(?:var\/)?tmp\//.test(address.path),
    );
    const hidden = ["PrivateTmp", "DynamicUser"].find((key) => unit.yes("Service", key));
    if (socket?.kind !== "unix" || hidden === undefined) return undefined;
    return `the service has its own /tmp (${hidden}=yes), and its socket is ${socket.path}`;
  });
}

/** Programs that run tsgun as a child and stay its parent. */
const WRAPPER = /^(?:\S*\/)?(npx|npm|pnpm|yarn|bunx?|sh|bash|sudo|su)\s/;

function wrapped(facts: Facts): Match[] {
  return eachService(facts, ["ExecStart"], ({ unit }) => {
    const name = WRAPPER.exec(unit.command)?.[1];
    return name === undefined || /\bexec\s/.test(unit.command)
      ? undefined
      : `ExecStart= starts ${name}, which starts tsgun`;
  });
}

function noReload(facts: Facts): Match[] {
  return eachService(facts, ["ExecStart"], ({ unit }) =>
    unit.type === "notify-reload" || unit.get("Service", "ExecReload") !== undefined
      ? undefined
      : "the service has no ExecReload=",
  );
}

function noRestart(facts: Facts): Match[] {
  return eachService(facts, ["Restart", "ExecStart"], ({ unit }) =>
    ["no", undefined].includes(unit.get("Service", "Restart")?.value)
      ? "the service is not restarted when it exits (Restart=no, the default)"
      : undefined,
  );
}

function noJit(facts: Facts): Match[] {
  return eachService(facts, ["MemoryDenyWriteExecute"], ({ unit }) =>
    unit.yes("Service", "MemoryDenyWriteExecute") ? "MemoryDenyWriteExecute=yes" : undefined,
  );
}

export const SYSTEMD_SERVICE: readonly Rule[] = [
  {
    id: "systemd-notify-access",
    level: "error",
    title:
      "`Type=notify` or `WatchdogSec` is set, and `NotifyAccess` allows no notifications, or only those of the main process while koffi is not installed",
    breaks: "systemd never learns that the service is up, and kills it after the start or watchdog timeout.",
    mend: "write NotifyAccess=all",
    check: notifyAccess,
  },
  {
    id: "systemd-notify-main",
    level: "warning",
    title: "`Type=notify` without `NotifyAccess=all`, though koffi is installed",
    breaks:
      "systemd gets no notifications when the optional package koffi is missing (npm ci --omit=optional, another CPU), nor during an upgrade (USR2).",
    mend: "write NotifyAccess=all",
    check: notifyMain,
  },
  {
    id: "systemd-type",
    level: "warning",
    title: "`Type` is not `notify`",
    breaks:
      "The service counts as started before it serves; in an upgrade (USR2) systemd mistakes the exit of the old process for that of the service, and kills the new one.",
    mend: "write Type=notify and NotifyAccess=all",
    check: plainType,
  },
  {
    id: "systemd-daemon",
    level: "error",
    title: "`--daemon` without `Type=forking`, or `Type=forking` without `--daemon`",
    breaks:
      "systemd mistakes the exit of the command for that of the service and kills the background processes, or waits in vain for the command to exit.",
    mend: "remove daemon, and write Type=notify",
    check: daemon,
  },
  {
    id: "systemd-kill-mode",
    level: "warning",
    title: "`KillMode` is not `mixed`",
    breaks:
      "With control-group, workers stop at once despite --drain-delay, and so do the app's child processes. With process or none, hung processes stay next to the restarted server.",
    mend: "write KillMode=mixed: only the arbiter is notified, and stops the workers",
    check: killMode,
  },
  {
    id: "systemd-open-files",
    level: "error",
    title:
      "the hard limit of `LimitNOFILE` (to which Node raises the soft one) is below `worker-connections` plus 100",
    breaks: "A busy worker cannot accept connections or open files (EMFILE): errors under load.",
    mend: "raise LimitNOFILE, or lower worker-connections",
    check: openFiles,
  },
  {
    id: "systemd-private-tmp",
    level: "error",
    title: "the socket is in /tmp, and the service has its own /tmp",
    breaks: "nginx does not see the socket: every request gets 502.",
    mend: "write RuntimeDirectory= and bind the socket below /run",
    check: privateTmp,
  },
  {
    id: "systemd-wrapped",
    level: "warning",
    title: "`ExecStart` starts tsgun through npx, npm or a shell",
    breaks: "systemd's main process is not the arbiter: passed sockets, signals and notifications go astray.",
    mend: "start the command directly: ExecStart=/srv/app/node_modules/.bin/tsgun",
    check: wrapped,
  },
  {
    id: "systemd-no-reload",
    level: "warning",
    title: "no `ExecReload`",
    breaks: "systemctl reload does not work, and a new version needs a restart.",
    mend: "write ExecReload=/bin/kill -HUP $MAINPID",
    check: noReload,
  },
  {
    id: "systemd-no-restart",
    level: "warning",
    title: "no `Restart`",
    breaks: "A server that dies, for example out of memory, stays down.",
    mend: "write Restart=on-failure",
    check: noRestart,
  },
  {
    id: "systemd-no-jit",
    level: "error",
    title: "`MemoryDenyWriteExecute=yes`",
    breaks: "Node does not start, because V8 generates machine code.",
    mend: "remove MemoryDenyWriteExecute",
    check: noJit,
  },
];
