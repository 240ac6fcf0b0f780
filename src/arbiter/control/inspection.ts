/** Shows the arbiter's state to the control interface. */
import type { ConfigTrace } from "../../config/config.ts";
import { type Config, type Setting, settings } from "../../config/settings.ts";
import { shownSettings } from "../../config/shown-settings.ts";
import type { Followed, InjectRequest, Inspectable } from "../../control/inspection.ts";
import type {
  ConfigReport,
  EventReport,
  InFlightReport,
  InjectReport,
  LogReport,
} from "../../control/stats.ts";
import type { RequestOnPage } from "../../scoreboard/page-reader.ts";
import type { LogLines } from "../logs/log-lines.ts";
import type { ServerEvents } from "../logs/server-events.ts";
import type { Pool } from "../pool/pool.ts";
import type { WorkerRecord } from "../pool/roster.ts";
import type { Scoreboard } from "../stats/scoreboard.ts";
import type { WorkerQuestions } from "../workers/questions.ts";
import type { WorkerProcesses } from "../workers/worker-processes.ts";
import { readRequests } from "./answers.ts";
import { injectInto } from "./inject.ts";

/** The parts of the arbiter that it shows. */
export interface InspectionParts {
  readonly pool: Pool;
  readonly generations: { readonly currentConfig: Config; readonly currentTrace: ConfigTrace };
  readonly events: ServerEvents;
  readonly logLines: LogLines;
  readonly stats: { readonly board: Pick<Scoreboard, "requestsOf"> };
  readonly questions: WorkerQuestions;
  readonly workerProcesses: Pick<WorkerProcesses, "pidOf">;
}

/** A worker whose event loop turns answers sooner; one that is blocked must delay nobody. */
const REQUESTS_MS = 50;

/** A request of a worker that could not be asked. */
function fromPage(pid: number, slot: number, { method, target, startedAt }: RequestOnPage): InFlightReport {
  const age = Math.max(0, Math.round(Date.now() - startedAt));
  return { pid, slot, method, target, id: null, remote: null, age, bytesReceived: null, bytesSent: null };
}

export class Inspection implements Inspectable {
  readonly #parts: InspectionParts;

  constructor(parts: InspectionParts) {
    this.#parts = parts;
  }

  get events(): Followed<EventReport> {
    const { log } = this.#parts.events;
    return { kept: (after) => log.since(after), follow: (each) => log.follow(each) };
  }

  async requests(): Promise<InFlightReport[]> {
    const { pool } = this.#parts;
    const found = await Promise.all(pool.roster.map((worker) => this.#requestsOf(worker)));
    return found.flat().sort((one, other) => other.age - one.age);
  }

  async #requestsOf({ id, slot, state }: WorkerRecord): Promise<InFlightReport[]> {
    const { questions, workerProcesses, stats } = this.#parts;
    const pid = workerProcesses.pidOf(id);
    if (pid === undefined || state === "booting") return [];
    const limits = { received: REQUESTS_MS, answered: REQUESTS_MS };
    const answered = await questions.ask(id, { about: "requests" }, limits);
    if (!answered.ok) return stats.board.requestsOf(id).map((request) => fromPage(pid, slot, request));
    return readRequests(answered.value).map((request) => ({ pid, slot, ...request }));
  }

  inject(request: InjectRequest): Promise<InjectReport> {
    const { pool, questions, workerProcesses } = this.#parts;
    return injectInto({ pool, questions, pidOf: (id) => workerProcesses.pidOf(id) }, request);
  }

  get logs(): Followed<LogReport> {
    const { logLines } = this.#parts;
    return { kept: (after) => logLines.since(after), follow: (each) => logLines.follow(each) };
  }

  config(): ConfigReport {
    const { pool, generations } = this.#parts;
    const { currentConfig, currentTrace } = generations;
    // The app's user decides who may see the variables of a worker, so none is shown.
    const shown = shownSettings(currentConfig, currentTrace, { hidden: "***", hidesVariable: () => true });
    return {
      generation: pool.desired.established,
      file: currentConfig.config || null,
      settings: shown.map(({ name, value, source, origin }) => {
        const { reload } = settings[name] as Setting<unknown>;
        return { name, value, source, origin, canReload: reload };
      }),
    };
  }
}
