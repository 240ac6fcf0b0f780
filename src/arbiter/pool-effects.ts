/** Carries out the pool's decisions: on processes, in the log, in the reload, and in the boot report. */
import { processTitle } from "../config/process-title.ts";
import type { Identity } from "../ipc/messages.ts";
import { workerCount } from "../system/cpu-limit.ts";
import type { ArbiterLog } from "./logs/arbiter-log.ts";
import type { Logs } from "./logs/logs.ts";
import { limitsOf } from "./pool/limits.ts";
import type { Pool, PoolEffects } from "./pool/pool.ts";
import type { Recycling } from "./pool/recycling.ts";
import type { BlackBox } from "./records/black-box.ts";
import type { FileReload } from "./reload/file-reload.ts";
import type { Generations } from "./reload/generations.ts";
import type { Reload } from "./reload/reload.ts";
import type { ServerCertificates } from "./tls/server-certificates.ts";
import type { BootReport } from "./upgrade/boot-report.ts";
import type { Takeover } from "./upgrade/takeover.ts";
import { heapFlags } from "./workers/heap-limit.ts";
import type { PlannedLaunch, WorkerProcesses } from "./workers/worker-processes.ts";

export interface EffectParts {
  readonly generations: Generations;
  readonly blackBox: Pick<BlackBox, "reportFile">;
  readonly logs: Logs;
  readonly identity: Identity;
  readonly certificates: ServerCertificates;
  readonly pool: Pool;
  readonly workerProcesses: WorkerProcesses;
  readonly recycling: Recycling;
  readonly reload: Reload;
  readonly fileReload: FileReload;
  readonly takeover: Takeover;
  readonly arbiterLog: ArbiterLog;
  readonly bootReport: BootReport | undefined;
}

/** @param parts need not exist before the pool first settles */
export function poolEffects(parts: EffectParts): PoolEffects {
  return {
    spawn(id, slot, generation) {
      const launch = launchOf(id, slot, generation, parts);
      parts.recycling.watch(launch.config);
      parts.workerProcesses.spawn(launch);
    },
    order: (id, order) => parts.workerProcesses.send(id, { type: order }),
    kill: (id, why) => parts.workerProcesses.kill(id, why),
    overdue: (id) => parts.arbiterLog.overdue(parts.workerProcesses.pidOf(id), parts.pool.find(id)),
    bootFailed(id, failure) {
      const { arbiterLog, workerProcesses, pool } = parts;
      const worker = pool.find(id);
      if (worker === undefined) return;
      arbiterLog.bootFailed(workerProcesses.pidOf(id), worker, failure, pool.desired, pool.now);
    },
    unstarted: (failure) => parts.arbiterLog.unstarted(failure, parts.pool.now),
    established(generation) {
      const { generations, reload, fileReload, takeover } = parts;
      reload.established(generation);
      process.title = processTitle("arbiter", generations.currentConfig);
      if (generations.placeholderFor(generation) === undefined) fileReload.established(generation);
      takeover.established();
    },
    substitute(failure) {
      const { generations, reload, fileReload, arbiterLog, bootReport } = parts;
      // Stop the server if a process waits for the boot report, or if no file is watched whose change could fix the app.
      if (!fileReload.canHappen || bootReport !== undefined) return undefined;
      if (generations.placeholderFor(generations.newest) !== undefined) return undefined;
      arbiterLog.broken(failure);
      return reload.createPlaceholder(failure);
    },
    abandoned: (failure, established) => parts.reload.abandoned(failure, established),
    limits: (generation) => limitsOf(parts.generations.configOf(generation)),
  };
}

function launchOf(id: number, slot: number, generation: number, parts: EffectParts): PlannedLaunch {
  const { generations, logs, identity, pool } = parts;
  const config = generations.configOf(generation);
  return {
    id,
    slot,
    generation,
    config,
    hooks: generations.hooksOf(generation),
    identity,
    heapFlags: heapFlags(config, Math.max(workerCount(config.workers), pool.desired.target)),
    placeholderFor: generations.placeholderFor(generation),
    tls: parts.certificates.assign(generations.tlsOf(generation)),
    folder: generations.folderOf(generation),
    heapReports: parts.blackBox.reportFile,
    ...logs.targets(config),
  };
}
