/** Handles the messages of the workers. */
import type { FromWorker } from "../../ipc/messages.ts";
import type { ArbiterLog } from "../logs/arbiter-log.ts";
import type { ServerEvents } from "../logs/server-events.ts";
import type { Pool } from "../pool/pool.ts";
import type { Recycling } from "../pool/recycling.ts";
import { ownStopCause } from "../pool/stop-cause.ts";
import type { FileReload } from "../reload/file-reload.ts";
import type { Generations } from "../reload/generations.ts";
import type { Stats } from "../stats/stats.ts";
import type { ServerCertificates } from "../tls/server-certificates.ts";
import type { WorkerQuestions } from "./questions.ts";
import type { WorkerProcesses } from "./worker-processes.ts";

export interface WorkerMessageDependencies {
  readonly pool: Pool;
  readonly generations: Generations;
  readonly workerProcesses: WorkerProcesses;
  readonly certificates: Pick<ServerCertificates, "ticketKeys">;
  readonly recycling: Recycling;
  readonly fileReload: FileReload;
  readonly arbiterLog: ArbiterLog;
  readonly stats: Pick<Stats, "ready">;
  readonly questions: WorkerQuestions;
  readonly events: ServerEvents;
}

export class WorkerMessages {
  readonly #dependencies: WorkerMessageDependencies;

  constructor(dependencies: WorkerMessageDependencies) {
    this.#dependencies = dependencies;
  }

  handle(id: number, message: FromWorker): void {
    const { pool, workerProcesses, certificates, recycling, fileReload, questions } = this.#dependencies;
    switch (message.type) {
      case "booting":
        workerProcesses.assign(id);
        return;
      case "boot-step":
        pool.workerEnters(id, message);
        return;
      case "loaded":
        fileReload.loaded(pool.find(id)?.generation ?? 0, message.files);
        return;
      case "ready":
        workerProcesses.completeTicketKeys(id, certificates.ticketKeys);
        if (this.#provesApp(id)) this.#dependencies.arbiterLog.serving(message.serving);
        this.#dependencies.stats.ready(id);
        pool.workerReady(id);
        this.#reportReady(id);
        return;
      case "failed":
        pool.workerFailed(id, message);
        return;
      case "beat":
        pool.workerBeat(id, message);
        return;
      case "answer":
        questions.handle(id, message.number, message.answer);
        return;
      case "due":
        recycling.due(id, message);
        return;
      case "draining":
        pool.workerSignalled(id, ownStopCause(message.cause));
        return;
    }
  }

  #reportReady(id: number): void {
    const { pool, workerProcesses, events } = this.#dependencies;
    const record = pool.find(id);
    if (record?.state !== "ready") return;
    events.workerReady({ pid: workerProcesses.pidOf(id), record }, pool.now - record.spawnedAt);
  }

  /** Whether a worker that is ready is the first of its generation, and serves the app, not its boot error. */
  #provesApp(id: number): boolean {
    const { pool, generations } = this.#dependencies;
    const { candidate } = pool.desired;
    if (candidate === undefined || candidate.proven) return false;
    if (pool.find(id)?.generation !== candidate.generation) return false;
    return generations.placeholderFor(candidate.generation) === undefined;
  }
}
