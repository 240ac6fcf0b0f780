/** The service: start, notification, stop and sandbox. */
import type { Config } from "../../../config/settings.ts";
import type { Facts } from "../facts.ts";
import type { Found, Rule } from "../finding.ts";
import type { Unit } from "../systemd-unit.ts";
import { eachService, notifies } from "./each-service.ts";

/** Files a worker opens in addition to its connections: modules, logs, sockets, a database. */
const FILES_MARGIN = 100;

/** Returns the effective NotifyAccess. WatchdogSec implies `main` if it is not set. */
function effectiveNotifyAccess(unit: Unit): string {
  const listens = notifies(unit) || unit.get("Service", "WatchdogSec") !== undefined;
  return unit.get("Service", "NotifyAccess")?.value ?? (listens ? "main" : "none");
}

function notifyAccess(facts: Facts): Found[] {
  return eachService(facts, ["NotifyAccess", "Type"], ({ unit }) => {
    const who = effectiveNotifyAccess(unit);
    if ((!notifies(unit) && unit.get("Service", "WatchdogSec") === undefined) || who === "all")
      return undefined;
    if (who === "none")
      return "systemd waits for word of the service, and takes it from nobody (NotifyAccess=none)";
    if (facts.machine.koffi) return undefined;
    return `only the main process may speak to systemd (NotifyAccess=${who}), and without the package koffi the command systemd-notify, a child of it, does`;
  });
}

function notifyMain(facts: Facts): Found[] {
  return eachService(facts, ["NotifyAccess", "Type"], ({ unit }) =>
    notifies(unit) && facts.machine.koffi && !["all", "none"].includes(effectiveNotifyAccess(unit))
      ? `only the main process may speak to systemd (NotifyAccess=${effectiveNotifyAccess(unit)})`
      : undefined,
  );
}

function plainType(facts: Facts): Found[] {
  return eachService(facts, ["Type", "ExecStart"], ({ unit, config }) =>
    notifies(unit) || unit.type === "forking" || config.daemon
      ? undefined
      : `the service is of Type=${unit.type}`,
  );
}

function daemon(facts: Facts): Found[] {
  return eachService(facts, ["Type", "ExecStart"], ({ unit, config }) => {
    if (config.daemon && unit.type !== "forking")
      return `tsgun goes to the background (daemon), and the service is of Type=${unit.type}`;
    if (!config.daemon && unit.type === "forking")
      return "the service is of Type=forking, and tsgun stays in the foreground";
    return undefined;
  });
}

function killMode(facts: Facts): Found[] {
  return eachService(facts, ["KillMode", "ExecStart"], ({ unit }) => {
    const mode = unit.get("Service", "KillMode")?.value ?? "control-group";
    if (mode === "mixed") return undefined;
    return mode === "control-group"
      ? "systemd tells the workers to stop as well as the arbiter (KillMode=control-group, its default)"
      : `systemd leaves processes behind that do not end (KillMode=${mode})`;
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

function openFiles(facts: Facts): Found[] {
  return eachService(facts, ["LimitNOFILE"], ({ unit, config }) => {
    const limit = hardLimit(unit);
    const needed = filesNeeded(config);
    if (limit === undefined || config.workerConnections === 0 || limit >= needed) return undefined;
    return {
      what: `a process may have ${limit} files open (LimitNOFILE), and a worker ${config.workerConnections} connections (worker-connections)`,
      mend: `write LimitNOFILE=${Math.max(needed, 65_536)}, or leave it out`,
    };
  });
}

function privateTmp(facts: Facts): Found[] {
  if (facts.socketUnits.length > 0) return [];
  return eachService(facts, ["PrivateTmp", "DynamicUser"], ({ unit, config }) => {
    const [socket] = config.bind.filter(
      (address) => address.kind === "unix" && /^\/(?:var\/)?tmp\//.test(address.path),
    );
    const hidden = ["PrivateTmp", "DynamicUser"].find((key) => unit.yes("Service", key));
    if (socket?.kind !== "unix" || hidden === undefined) return undefined;
    return `the service has a /tmp of its own (${hidden}=yes), and its socket is ${socket.path}`;
  });
}

/** Programs that run tsgun as a child and stay its parent. */
const WRAPPER = /^(?:\S*\/)?(npx|npm|pnpm|yarn|bunx?|sh|bash|sudo|su)\s/;

function wrapped(facts: Facts): Found[] {
  return eachService(facts, ["ExecStart"], ({ unit }) => {
    const name = WRAPPER.exec(unit.command)?.[1];
    return name === undefined || /\bexec\s/.test(unit.command)
      ? undefined
      : `ExecStart= starts ${name}, which starts tsgun`;
  });
}

function noReload(facts: Facts): Found[] {
  return eachService(facts, ["ExecStart"], ({ unit }) =>
    unit.type === "notify-reload" || unit.get("Service", "ExecReload") !== undefined
      ? undefined
      : "the service has no ExecReload=",
  );
}

function noRestart(facts: Facts): Found[] {
  return eachService(facts, ["Restart", "ExecStart"], ({ unit }) =>
    ["no", undefined].includes(unit.get("Service", "Restart")?.value)
      ? "the service is not started again when it ends (Restart=no, the default)"
      : undefined,
  );
}

function noJit(facts: Facts): Found[] {
  return eachService(facts, ["MemoryDenyWriteExecute"], ({ unit }) =>
    unit.yes("Service", "MemoryDenyWriteExecute") ? "MemoryDenyWriteExecute=yes" : undefined,
  );
}

export const SYSTEMD_SERVICE: readonly Rule[] = [
  {
    id: "systemd-notify-access",
    level: "error",
    title:
      "`Type=notify` or `WatchdogSec`, and `NotifyAccess` lets nobody speak, or only the main process where koffi is not installed",
    breaks:
      "systemd never hears that the service is up: it is killed when the time to start, or that of the watchdog, is over.",
    mend: "write NotifyAccess=all",
    check: notifyAccess,
  },
  {
    id: "systemd-notify-main",
    level: "warning",
    title: "`Type=notify` without `NotifyAccess=all`, though koffi is installed",
    breaks:
      "Once the optional package koffi is missing (npm ci --omit=optional, another CPU), and while an upgrade (USR2) hands over, systemd does not hear of the service.",
    mend: "write NotifyAccess=all",
    check: notifyMain,
  },
  {
    id: "systemd-type",
    level: "warning",
    title: "`Type` is not notify: `simple`, or another one",
    breaks:
      "The service counts as started before anybody serves; with an upgrade (USR2) systemd takes the old process's end for the service's, and kills the new one.",
    mend: "write Type=notify and NotifyAccess=all",
    check: plainType,
  },
  {
    id: "systemd-daemon",
    level: "error",
    title: "`--daemon` without `Type=forking`, or `Type=forking` without `--daemon`",
    breaks:
      "systemd takes the command's end for the service's and kills what went to the background, or waits in vain for it to go there.",
    mend: "leave daemon out, and write Type=notify",
    check: daemon,
  },
  {
    id: "systemd-kill-mode",
    level: "warning",
    title: "`KillMode` is not `mixed`",
    breaks:
      "control-group: workers leave at once, also in a --drain-delay, and so do the app's own child processes. process, none: what hangs stays, beside the next start.",
    mend: "write KillMode=mixed: the arbiter is told, and stops the others",
    check: killMode,
  },
  {
    id: "systemd-open-files",
    level: "error",
    title: "`LimitNOFILE` (the hard one: Node raises the other) is below `worker-connections` and 100",
    breaks: "A busy worker can accept no more and opens no files (EMFILE): errors under load.",
    mend: "raise LimitNOFILE, or lower worker-connections",
    check: openFiles,
  },
  {
    id: "systemd-private-tmp",
    level: "error",
    title: "the socket lies in /tmp, and the service has a /tmp of its own",
    breaks: "nginx sees no such file: every request gets 502.",
    mend: "write RuntimeDirectory= and bind the socket below /run",
    check: privateTmp,
  },
  {
    id: "systemd-wrapped",
    level: "warning",
    title: "`ExecStart` starts tsgun through npx, npm or a shell",
    breaks:
      "The process that systemd knows is not the arbiter: sockets that it hands over, signals and notifications go astray.",
    mend: "write the command itself: ExecStart=/srv/app/node_modules/.bin/tsgun",
    check: wrapped,
  },
  {
    id: "systemd-no-reload",
    level: "warning",
    title: "no `ExecReload`",
    breaks: "systemctl reload does nothing, and a new version takes a restart.",
    mend: "write ExecReload=/bin/kill -HUP $MAINPID",
    check: noReload,
  },
  {
    id: "systemd-no-restart",
    level: "warning",
    title: "no `Restart`",
    breaks: "A server that dies (out of memory, say) stays down until somebody looks.",
    mend: "write Restart=on-failure",
    check: noRestart,
  },
  {
    id: "systemd-no-jit",
    level: "error",
    title: "`MemoryDenyWriteExecute=yes`",
    breaks: "Node does not start: V8 compiles JavaScript to code as it runs.",
    mend: "leave MemoryDenyWriteExecute out",
    check: noJit,
  },
];
