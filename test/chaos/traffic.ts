/** All clients of a chaos run: directly over TCP and the Unix socket, and through nginx, each with its own ways. */
import { mirrored } from "../support/exchanges.ts";
import { type Exchange, type Failure, Load, type Target } from "../support/load.ts";
import type { Loss } from "./attribution.ts";
import { type ClientEvents, EchoSocket, idOf, Pipelines } from "./clients.ts";

export interface Targets {
  readonly tcp: { readonly port: number };
  readonly unix: { readonly path: string };
  /** Undefined where nginx is not installed. */
  readonly nginx: { readonly port: number } | undefined;
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
  #loads: Load[] = [];
  #others: (Pipelines | EchoSocket)[] = [];
  #pipelines: Pipelines[] = [];
  /** Makes ids unique throughout the run. */
  #round = 0;
  #sentBefore = 0;

  constructor(targets: Targets) {
    this.#targets = targets;
  }

  get sent(): number {
    const current = [
      ...this.#loads.map(({ counts }) => counts.sent),
      ...this.#pipelines.map(({ sent }) => sent),
    ];
    return this.#sentBefore + current.reduce((sum, count) => sum + count, 0);
  }

  start(): void {
    const { tcp, unix, nginx } = this.#targets;
    this.#round += 1;
    this.#load("tcp-keep", tcp, "keep-alive");
    this.#load("tcp-close", tcp, "close");
    this.#load("unix-keep", unix, "keep-alive");
    this.#load("upload", tcp, "keep-alive", { rate: 3, pieces: UPLOAD_PIECES });
    if (nginx !== undefined) {
      this.#load("nginx-keep", nginx, "keep-alive");
      this.#load("nginx-close", nginx, "close");
    }
    const events: ClientEvents = {
      answered: () => {
        this.answered += 1;
      },
      lost: (loss) => this.losses.push(loss),
      wrong: (text) => this.wrong.push(text),
    };
    const counted = { ...events, answered: () => this.#count() };
    const make = this.#make("pipeline");
    this.#pipelines = [new Pipelines(tcp.port, (number) => make(number, "keep-alive"), counted)];
    this.#others = [...this.#pipelines, new EchoSocket(tcp.port, events), new EchoSocket(tcp.port, events)];
  }

  /** Sends nothing more; waits for the answers that are due. Returns the ids that the server left undone. */
  async stop(): Promise<readonly string[]> {
    await Promise.all([...this.#loads, ...this.#others].map((client) => client.stop()));
    this.#sentBefore = this.sent;
    const undone = this.#pipelines.flatMap((pipelines) => pipelines.undone);
    this.#loads = [];
    this.#pipelines = [];
    this.#others = [];
    return undone;
  }

  #count(): void {
    this.answered += 1;
    this.counted += 1;
  }

  #make(name: string): (number: number, mode: "keep-alive" | "close") => Exchange {
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
    const id = kind === "refused" ? undefined : idOf({ label: text });
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
