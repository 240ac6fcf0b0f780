/**
 * Measures how late other clients are answered while many take their time with a head, content or a response. Each of the
 * others comes with a connection of its own, so it needs a place of a worker that has none to spare.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { untilAnswering } from "../lib/answer.ts";
import { type OpenLoopResult, openLoop } from "../lib/open-loop.ts";
import { onCore } from "../lib/pinning.ts";
import { type Running, start } from "../lib/running.ts";
import {
  type Figure,
  type Measure,
  type MeasureOptions,
  prepared,
  type Turn,
  type Values,
} from "../lib/scenario.ts";

export type SlowKind = "heads" | "bodies" | "readers";

const SLOW = 1000;
/** Others a second: far below what any server can do, so that only the slow ones make them wait. */
const OTHERS = 100;
/** Measured while the slow ones come, which takes 2 s, and the server makes room for the first time. */
const ARRIVING_S = 5;
/** Limit for the slow ones to come. */
const OPEN_MS = 60_000;
const PATH = "/pid";

const FIGURES: readonly Figure[] = [
  { key: "growth", head: "p99 slow / normal", digits: 2 },
  { key: "normalP50", head: "normal p50 ms", digits: 1 },
  { key: "normal", head: "p99 ms", digits: 1 },
  { key: "arriving", head: "arriving p99 ms", digits: 1 },
  { key: "p50", head: "slow p50 ms", digits: 1 },
  { key: "p99", head: "p99 ms", digits: 1 },
  { key: "failed", head: "unanswered %", digits: 1 },
];

const failures = (...loads: OpenLoopResult[]): number =>
  loads.reduce((sum, { failed, refused }) => sum + failed + refused, 0);

class CrowdedServer implements Turn {
  readonly #server: Running;
  readonly #kind: SlowKind;
  readonly #options: MeasureOptions;

  constructor(server: Running, kind: SlowKind, options: MeasureOptions) {
    this.#server = server;
    this.#kind = kind;
    this.#options = options;
  }

  prepare(): Promise<void> {
    return untilAnswering(this.#server.program, this.#server.address, { path: PATH });
  }

  async round(): Promise<Values> {
    const { address } = this.#server;
    const load = { address, path: PATH, rate: OTHERS, seconds: this.#options.seconds, fresh: true };
    await openLoop({ ...load, seconds: 1 });
    const normal = await openLoop(load);
    const [crowd, arriving] = await Promise.all([this.#crowd(), openLoop({ ...load, seconds: ARRIVING_S })]);
    const slow = await openLoop(load);
    crowd.stdin?.end();
    await once(crowd, "exit");
    // Its connections are noticed as gone.
    await untilAnswering(this.#server.program, address, { path: PATH });
    return {
      growth: slow.acceptedP99 / normal.acceptedP99,
      normalP50: normal.acceptedP50,
      normal: normal.acceptedP99,
      arriving: arriving.acceptedP99,
      p50: slow.acceptedP50,
      p99: slow.acceptedP99,
      failed: (failures(arriving, slow) / (arriving.sent + slow.sent)) * 100,
    };
  }

  async #crowd(): Promise<ChildProcess> {
    const program = join(import.meta.dirname, "slow-clients.mjs");
    const [command, ...words] = onCore(this.#options.cores?.load, [
      process.execPath,
      program,
      `${this.#server.address}`,
      `${SLOW}`,
      this.#kind,
    ]);
    const crowd = spawn(command, words, { stdio: ["pipe", "pipe", "inherit"] });
    const timer = setTimeout(() => crowd.kill(), OPEN_MS);
    const opened = await Promise.race([
      once(crowd.stdout, "data"),
      once(crowd, "exit").then(() => undefined),
    ]);
    clearTimeout(timer);
    if (opened === undefined) throw new Error(`${SLOW} slow clients could not be opened`);
    return crowd;
  }

  close = (): Promise<void> => this.abort();
  abort = (): Promise<void> => this.#server.stop();
}

export function slowClients(kind: SlowKind): Measure {
  return {
    figures: FIGURES,
    async open({ name, server, launch }, options) {
      const running = await start(server, name, launch, { core: options.cores?.server });
      if (running === undefined) return undefined;
      return await prepared(new CrowdedServer(running, kind, options), launch.workers);
    },
  };
}
