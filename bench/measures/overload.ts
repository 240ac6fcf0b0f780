/**
 * Measures a server at three times the load that it can serve: how many of its answers are still right, and how
 * late they are, compared with those at seven tenths of what it can serve.
 */
import { untilAnswering } from "../lib/answer.ts";
import { closedLoop, openLoop } from "../lib/open-loop.ts";
import { type Address, type Running, start } from "../lib/running.ts";
import {
  type Figure,
  type Measure,
  type MeasureOptions,
  prepared,
  type Turn,
  type Values,
} from "../lib/scenario.ts";
import { nginxFront } from "./proxy-front.ts";

/** The part of its peak that a server is loaded with ordinarily, and in the overload. */
const NORMAL = 0.7;
const OVERLOAD = 3;
const FIGURES: readonly Figure[] = [
  { key: "growth", head: "p99 overload / normal", digits: 2 },
  { key: "lost", head: "1 − goodput / peak", digits: 3 },
  { key: "peak", head: "peak/s", digits: 0 },
  { key: "goodput", head: "goodput/s", digits: 0 },
  { key: "normal", head: "normal p99 ms", digits: 1 },
  { key: "p50", head: "p50 ms", digits: 1 },
  { key: "p99", head: "p99 ms", digits: 1 },
  { key: "refused", head: "503 %", digits: 1 },
  { key: "refusedP99", head: "503 p99 ms", digits: 1 },
  { key: "failed", head: "failed %", digits: 1 },
];

export interface OverloadOptions {
  readonly path: string;
  /** Clients that find out the peak: enough to keep a server busy, and no more than its limit in flight. */
  readonly clients: number;
  /** Put nginx in front, which reaches the server over its Unix socket. */
  readonly behindNginx?: boolean;
}

class OverloadedServer implements Turn {
  readonly #server: Running;
  readonly #settings: OverloadOptions;
  readonly #options: MeasureOptions;
  readonly #steps: (() => Promise<void>)[] = [];
  #address: Address = 0;

  constructor(server: Running, settings: OverloadOptions, options: MeasureOptions) {
    this.#server = server;
    this.#settings = settings;
    this.#options = options;
  }

  async prepare(): Promise<void> {
    const { program, address } = this.#server;
    const { path, behindNginx = false } = this.#settings;
    await untilAnswering(program, address, { path });
    this.#address = address;
    if (!behindNginx) return;
    const nginx = await nginxFront(this.#server, this.#options.cores?.load);
    this.#steps.push(() => nginx.stop());
    this.#address = nginx.port;
  }

  async round(): Promise<Values> {
    const { seconds } = this.#options;
    const { clients } = this.#settings;
    const target = { address: this.#address, path: this.#settings.path, seconds };
    await closedLoop({ ...target, seconds: 1 }, clients);
    const peak = await closedLoop(target, clients);
    const normal = await openLoop({ ...target, rate: peak * NORMAL });
    const over = await openLoop({ ...target, rate: peak * OVERLOAD });
    return {
      growth: over.acceptedP99 / normal.acceptedP99,
      lost: 1 - over.goodput / peak,
      peak,
      goodput: over.goodput,
      normal: normal.acceptedP99,
      p50: over.acceptedP50,
      p99: over.acceptedP99,
      refused: (over.refused / over.sent) * 100,
      refusedP99: over.refusedP99,
      failed: (over.failed / over.sent) * 100,
    };
  }

  close = (): Promise<void> => this.abort();

  async abort(): Promise<void> {
    for (const step of this.#steps.reverse()) await step();
    await this.#server.stop();
  }
}

export function overload(settings: OverloadOptions): Measure {
  return {
    figures: FIGURES,
    async open({ name, server, launch }, options) {
      const socket = settings.behindNginx === true;
      const running = await start(server, name, launch, { core: options.cores?.server, socket });
      if (running === undefined) return undefined;
      return await prepared(new OverloadedServer(running, settings, options), launch.workers);
    },
  };
}
