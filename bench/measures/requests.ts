/** CPU time of a request, and memory, under the load of wrk. */
import { checkAnswer, type Expected, type Request, untilAnswering } from "../lib/answer.ts";
import { loadHttp2 } from "../lib/h2load.ts";
import { loadHandshakes } from "../lib/handshakes.ts";
import { cpuBetween, cpuOf, memoryOfTree } from "../lib/processes.ts";
import { type Running, start } from "../lib/running.ts";
import {
  type Candidate,
  type Figure,
  type Measure,
  type MeasureOptions,
  prepared,
  type Turn,
  type Values,
} from "../lib/scenario.ts";
import type { Launch } from "../lib/server.ts";
import { load } from "../lib/wrk.ts";
import { IdleConnections } from "./idle-connections.ts";
import { haproxyFront, nginxFront } from "./proxy-front.ts";

export interface RequestsOptions {
  readonly request: Request;
  readonly expected: Expected;
  /** Busy connections. Default: 64. */
  readonly connections?: number;
  readonly pipelined?: number;
  /** Kept connections that do nothing meanwhile. */
  readonly idle?: number;
  /** Streams that are open at once on each connection of HTTP/2. Default: 1. */
  readonly streams?: number;
  /** A TLS connection for each request, which begins with a full handshake or resumes a session. Default: kept ones. */
  readonly handshakes?: "full" | "resumed";
  /** The proxy to put in front, which reaches the server over its Unix socket. */
  readonly behind?: "nginx" | "haproxy";
}

export const CPU: Figure = { key: "cpu", head: "CPU µs", digits: 2 };

const FIGURES: readonly Figure[] = [
  CPU,
  { key: "user", head: "user", digits: 2 },
  { key: "system", head: "system", digits: 2 },
  { key: "rate", head: "req/s", digits: 0 },
  { key: "memory", head: "PSS MB", digits: 0 },
];

/** Compiled code is stable after about as much CPU time of a worker under load, in nanoseconds. */
const WARM_UP_CPU = 1.5e9;
const WARM_UP_MS = 6_000;

class LoadedServer implements Turn {
  readonly #server: Running;
  readonly #launch: Launch;
  readonly #settings: RequestsOptions;
  readonly #options: MeasureOptions;
  readonly #steps: (() => Promise<void>)[] = [];
  #port = 0;

  constructor(server: Running, launch: Launch, settings: RequestsOptions, options: MeasureOptions) {
    this.#server = server;
    this.#launch = launch;
    this.#settings = settings;
    this.#options = options;
  }

  async prepare(workers: number): Promise<void> {
    const server = this.#server;
    const { request, behind, idle = 0 } = this.#settings;
    const core = this.#options.cores?.load;
    // Without the header that it expects, it would refuse to answer.
    const { proxyProtocol = false } = this.#launch;
    if (!proxyProtocol) await untilAnswering(server.program, server.address, request, this.#launch.protocol);
    if (behind !== undefined) {
      const proxy =
        behind === "nginx" ? await nginxFront(server, core) : await haproxyFront(server, core, proxyProtocol);
      this.#steps.push(() => proxy.stop());
      this.#port = proxy.port;
    } else this.#port = server.address as number;
    await this.#check();
    if (idle > 0) {
      const held = await IdleConnections.open(this.#port, idle, request.path, core);
      this.#steps.push(() => held.close());
    }
    const { pid } = server.program;
    const end = performance.now() + WARM_UP_MS;
    const enough = cpuOf(pid).total + WARM_UP_CPU * workers;
    while (cpuOf(pid).total < enough && performance.now() < end) await this.#load();
  }

  async #check(): Promise<void> {
    const { request, expected } = this.#settings;
    await checkAnswer(this.#server.name, this.#port, request, expected, this.#launch.protocol);
  }

  async #load(): Promise<{ requests: number; rate: number }> {
    const { request, expected, connections = 64, pipelined, streams, handshakes } = this.#settings;
    const { protocol } = this.#launch;
    const { length } = expected.content;
    const { seconds, cores } = this.#options;
    const options = { request, connections, seconds, length, protocol, streams };
    const { folder } = this.#server;
    if (handshakes !== undefined) return await loadHandshakes(this.#port, cores?.load, handshakes, options);
    if (protocol === "h2" || protocol === "h2c")
      return await loadHttp2(this.#port, cores?.load, folder, options);
    const more = pipelined === undefined ? {} : { pipelined };
    return await load(this.#port, cores?.load, folder, { ...options, ...more });
  }

  async round(): Promise<Values> {
    const { pid } = this.#server.program;
    const before = cpuOf(pid);
    const { requests, rate } = await this.#load();
    const used = cpuBetween(before, cpuOf(pid));
    const perRequest = (nanoseconds: number): number => nanoseconds / 1000 / requests;
    return {
      cpu: perRequest(used.total),
      user: perRequest(used.user),
      system: perRequest(used.system),
      rate,
      memory: memoryOfTree(pid) / 2 ** 20,
    };
  }

  async close(): Promise<void> {
    try {
      await this.#check();
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    for (const step of this.#steps.reverse()) await step();
    await this.#server.stop();
  }
}

/** Each server runs for all rounds; in each it is loaded for some seconds, in turn with the others. */
export function requests(settings: RequestsOptions): Measure {
  return {
    figures: FIGURES,
    async open({ name, server, launch }: Candidate, options: MeasureOptions): Promise<Turn | undefined> {
      const socket = settings.behind !== undefined;
      const running = await start(server, name, launch, { core: options.cores?.server, socket });
      if (running === undefined) return undefined;
      return await prepared(new LoadedServer(running, launch, settings, options), launch.workers);
    },
  };
}
