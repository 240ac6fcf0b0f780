/** Compares systemd's timeouts with tsgun's. */
import { formatDuration } from "../../../config/number-kind.ts";
import { longestStop, QUIT_TIMEOUT_TEXT } from "../../../config/stop-time.ts";
import { seconds, stopSeconds } from "../../init/deployment.ts";
import type { Facts } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";
import type { Unit } from "../systemd-unit.ts";
import { eachService, notifies } from "./each-service.ts";

/** systemd's default (systemd-system.conf(5)). */
const DEFAULT_TIMEOUT_MS = 90_000;
/** Time for a start on top of `boot-timeout`. */
const START_MARGIN_MS = 30_000;
/** A healthy arbiter may be busy this long: reading a configuration, or waiting for a slow disk. */
const MIN_WATCHDOG_MS = 5000;

function timeout(unit: Unit, key: string): number {
  return unit.time("Service", key, unit.time("Service", "TimeoutSec", DEFAULT_TIMEOUT_MS));
}

function stopTimeout(facts: Facts): Match[] {
  return eachService(facts, ["TimeoutStopSec", "TimeoutSec", "ExecStart"], ({ unit, config }) => {
    const theirs = timeout(unit, "TimeoutStopSec");
    const ours = longestStop(config);
    // 0 means no limit.
    if (theirs === 0 || theirs > ours) return undefined;
    const sum = `graceful-timeout ${formatDuration(config.gracefulTimeout)}, drain-delay ${formatDuration(config.drainDelay)}, ${QUIT_TIMEOUT_TEXT}`;
    return {
      what: `systemd kills the service after ${formatDuration(theirs)} (TimeoutStopSec), but tsgun may take ${formatDuration(ours)} to stop: ${sum}`,
      mend: `write TimeoutStopSec=${stopSeconds(config, config.drainDelay)}s`,
    };
  });
}

function startTimeout(facts: Facts): Match[] {
  return eachService(facts, ["TimeoutStartSec", "TimeoutSec", "ExecStart"], ({ unit, config }) => {
    const theirs = timeout(unit, "TimeoutStartSec");
    if (!notifies(unit) || theirs === 0 || theirs > config.bootTimeout) return undefined;
    return {
      what: `systemd gives up after ${formatDuration(theirs)} (TimeoutStartSec), but a worker may take ${formatDuration(config.bootTimeout)} to boot (boot-timeout)`,
      mend: `write TimeoutStartSec=${seconds(config.bootTimeout + START_MARGIN_MS)}s`,
    };
  });
}

function watchdog(facts: Facts): Match[] {
  return eachService(facts, ["WatchdogSec"], ({ unit }) => {
    const time = unit.time("Service", "WatchdogSec", 0);
    return time > 0 && time < MIN_WATCHDOG_MS
      ? `systemd expects a notification every ${formatDuration(time)} (WatchdogSec)`
      : undefined;
  });
}

export const SYSTEMD_TIMES: readonly Rule[] = [
  {
    id: "systemd-stop-timeout",
    level: "error",
    title:
      "`TimeoutStopSec` (90s by default) is not longer than `graceful-timeout`, `drain-delay` and 5s together",
    breaks: "A stop or restart kills requests in flight, or an app that is shutting down.",
    mend: "make TimeoutStopSec longer than their sum",
    check: stopTimeout,
  },
  {
    id: "systemd-start-timeout",
    level: "error",
    title: "`Type=notify`, and `TimeoutStartSec` (90s by default) is not longer than `boot-timeout`",
    breaks: "An app that boots slowly, but within `boot-timeout`, is killed and restarted.",
    mend: "make TimeoutStartSec longer than boot-timeout",
    check: startTimeout,
  },
  {
    id: "systemd-watchdog",
    level: "warning",
    title: "`WatchdogSec` is below 5s",
    breaks: "A healthy server that is briefly busy (reading a configuration, a slow disk) is killed.",
    mend: "write WatchdogSec=30s",
    check: watchdog,
  },
];
