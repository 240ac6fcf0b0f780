/** All clients of a chaos run: directly over TCP and the Unix socket, and through nginx, each with its own ways. */
import { type MirroredExchange, mirrored } from "../support/exchanges.ts";
import { type Exchange, type Failure, Load, type Target } from "../support/load.ts";
import type { Loss } from "./attribution.ts";
import { type ClientEvents, EchoSocket, idOf, Pipelines } from "./clients.ts";
import type { Way } from "./plan.ts";
import { Streams } from "./streams.ts";
import type { Certificates } from "./ways.ts";

export interface Targets {
  readonly tcp: { readonly port: number };
  readonly unix: { readonly path: string };
  /** Undefined where nginx is not installed. The second speaks TLS with the server. */
  readonly nginx: readonly [clear: { readonly port: number }, tls: { readonly port: number }] | undefined;
}

const CLIENTS = 3;
/** Requests a second of each load. The machine belongs to the server, too. */
const RATE = 25;
/** An upload comes in so many pieces, 2 ms apart and more. */
const UPLOAD_PIECES = 150;
/**
 * A client's patience. While no worker is ready, connections wait in the kernel: until a worker that does not boot is
 * given up, and another one has booted, on a busy machine.
 */
const TIMEOUT_MS = 120_000;

export class Traffic {
  answered = 0;
  /** Right answers to requests that the server counts, by HTTP status 200. */
  counted = 0;
  readonly losses: Loss[] = [];
  readonly wrong: string[] = [];
  readonly #targets: Targets;
  readonly #certificates: Certificates;
  #loads: Load[] = [];
  #others: (Pipelines | Streams | EchoSocket)[] = [];
  #pipelines: Pipelines[] = [];
  #streams: Streams[] = [];
  /** Makes ids unique throughout the run. */
  #round = 0;
  #sentBefore = 0;

  constructor(targets: Targets, certificates: Certificates) {
    this.#targets = targets;
    this.#certificates = certificates;
  }

  get sent(): number {
    const current = [
      ...this.#loads.map(({ counts }) => counts.sent),
      ...[...this.#pipelines, ...this.#streams].map(({ sent }) => sent),
    ];
    return this.#sentBefore + current.reduce((sum, count) => sum + count, 0);
  }

  start({ app, tls, http2 }: Way): void {
    const { tcp, unix, nginx } = this.#targets;
    const { clients } = this.#certificates;
    const [newer, older, h2] = tls ? [clients["1.3"], clients["1.2"], clients.h2] : [];
    this.#round += 1;
    this.#load("tcp-keep", { ...tcp, tls: newer }, "keep-alive");
    this.#load("tcp-close", { ...tcp, tls: older }, "close");
    this.#load("unix-keep", { ...unix, tls: newer }, "keep-alive");
    this.#load("upload", { ...tcp, tls: older }, "keep-alive", { rate: 3, pieces: UPLOAD_PIECES });
    const proxy = nginx?.[tls ? 1 : 0];
    if (proxy !== undefined) {
      this.#load("nginx-keep", proxy, "keep-alive");
      this.#load("nginx-close", proxy, "close");
    }
    const events: ClientEvents = {
      answered: () => {
        this.answered += 1;
      },
      lost: (loss) => this.losses.push(loss),
      wrong: (text) => this.wrong.push(text),
    };
    const counted = { ...events, answered: () => this.#count() };
    const direct = { ...tcp, tls: newer };
    const make = this.#make("pipeline");
    this.#pipelines = [new Pipelines(direct, (number) => make(number, "keep-alive"), counted)];
    const makeStream = this.#make("stream");
    const stream = (number: number): MirroredExchange => makeStream(number, "keep-alive");
    this.#streams = http2 ? [new Streams({ ...tcp, tls: h2 }, stream, counted)] : [];
    const takesSockets = app === "gateway" || app === "server";
    const sockets = takesSockets ? [new EchoSocket(direct, events), new EchoSocket(direct, events)] : [];
    this.#others = [...this.#pipelines, ...this.#streams, ...sockets];
  }

  /** Sends nothing more; waits for the answers that are due. Returns the ids that the server left undone. */
  async stop(): Promise<readonly string[]> {
    await Promise.all([...this.#loads, ...this.#others].map((client) => client.stop()));
    this.#sentBefore = this.sent;
    const undone = [...this.#pipelines, ...this.#streams].flatMap((client) => client.undone);
    for (const { answered } of this.#streams)
      if (answered === 0) this.wrong.push("HTTP/2: none of its requests was answered");
    this.#loads = [];
    this.#pipelines = [];
    this.#streams = [];
    this.#others = [];
    return undone;
  }

  #count(): void {
    this.answered += 1;
    this.counted += 1;
  }

  #make(name: string): (number: number, mode: "keep-alive" | "close") => MirroredExchange {
    const prefix = `${this.#round}-${name}`;
    return mirrored({
      methods: ["POST", "POST", "GET", "POST"],
      query: (number) => {
        const ways = ["", "&wait=20", "", "&stream&wait=5", "&wait=60"][number % 5] ?? "";
        return `id=${prefix}-${number}${ways}`;
      },
    });
  }

  #load(
    client: string,
    target: Target,
    mode: "keep-alive" | "close",
    { rate = RATE, pieces = 0 } = {},
  ): void {
    const shape = this.#make(client);
    const isProxied = client.startsWith("nginx");
    const onFailure = (failure: Failure): void => this.#fail(client, isProxied, failure);
    const make = (number: number): Exchange => {
      const exchange = shape(number, mode);
      const check: Exchange["check"] = (answer) => {
        const fault = exchange.check(answer);
        if (fault === undefined) this.#count();
        return fault;
      };
      return { ...exchange, check, parts: pieces === 0 ? exchange.parts : inPieces(exchange.parts, pieces) };
    };
    this.#loads.push(
      new Load(target, { mode, make, clients: CLIENTS, rate, timeout: TIMEOUT_MS, onFailure }),
    );
  }

  #fail(client: string, isProxied: boolean, { kind, text, since, at, worker }: Failure): void {
    // A proxy that has lost its server says so; that loses a request, and is no wrong answer.
    const isGateway = isProxied && /: status 50[24] \(nginx/.test(text);
    if (kind === "wrong" && !isGateway) {
      this.wrong.push(`${client}: ${text}`);
      return;
    }
    const id = idOf({ label: text }) || undefined;
    this.losses.push({ client, kind, text, since, at, id, pid: isProxied ? undefined : worker });
  }
}

function inPieces(parts: readonly Buffer[], count: number): Buffer[] {
  const whole = Buffer.concat(parts);
  const size = Math.max(1, Math.ceil(whole.length / count));
  const pieces: Buffer[] = [];
  for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size));
  return pieces;
}
