/** The clients of `npm run compare`: kept and fresh connections that ask all the time, and count what they lose. */
import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

/** How long a client waits between two requests, and for a response. */
const PAUSE_MS = 10;
const PATIENCE_MS = 5000;

export interface Outcome {
  /** The response's text; undefined if it was lost, and then why. */
  readonly text?: string;
  readonly error?: string;
  readonly tookMs: number;
}

/** Sends a GET. Never rejects. */
export function get(
  port: number,
  path = "/",
  agent: Agent | false = false,
  patience = PATIENCE_MS,
): Promise<Outcome> {
  const begun = performance.now();
  const outcome = (found: { text?: string; error?: string }): Outcome => ({
    ...found,
    tookMs: performance.now() - begun,
  });
  return new Promise((resolve) => {
    const options = { host: "127.0.0.1", port, path, agent, timeout: patience };
    const outgoing = request(options, async (incoming) => {
      try {
        let text = "";
        for await (const piece of incoming.setEncoding("utf8")) text += piece;
        const isGood = incoming.statusCode === 200 && /^ok \d+$/.test(text);
        resolve(outcome(isGood ? { text } : { error: `status ${incoming.statusCode}` }));
      } catch (error) {
        resolve(outcome({ error: (error as NodeJS.ErrnoException).code ?? "cut" }));
      }
    });
    outgoing.on("timeout", () => outgoing.destroy(Object.assign(new Error(), { code: "late" })));
    outgoing.on("error", (error: NodeJS.ErrnoException) =>
      resolve(outcome({ error: error.code ?? error.message })),
    );
    outgoing.end();
  });
}

export class Clients {
  answered = 0;
  readonly lost = new Map<string, number>();
  /** Durations of what was answered, in milliseconds. */
  readonly times: number[] = [];
  #isStopped = false;
  readonly #loops: Promise<void>[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  /** @param patience how long each waits for a response, in milliseconds */
  constructor(port: number, patience = PATIENCE_MS) {
    const ask = async (agent: Agent | false): Promise<void> => {
      while (!this.#isStopped) {
        const { error, tookMs } = await get(port, "/", agent, patience);
        if (error === undefined) {
          this.answered += 1;
          this.times.push(tookMs);
        } else this.lost.set(error, (this.lost.get(error) ?? 0) + 1);
        await pause(PAUSE_MS);
      }
    };
    this.#loops = [this.#agent, this.#agent, this.#agent, this.#agent, false, false, false, false].map(
      (agent) => ask(agent as Agent | false),
    );
  }

  get lostCount(): number {
    return [...this.lost.values()].reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<this> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
    return this;
  }
}

/** The value below which this part of the numbers lies; NaN of none. */
export function quantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
