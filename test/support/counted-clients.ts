/** Clients that count what they got, to compare with what a server says that it sent. */
import { Agent, get } from "node:http";

export class CountedClients {
  /** Complete responses, by status. */
  readonly statuses = new Map<string, number>();
  /** Requests without a complete response. */
  failed = 0;
  readonly #agent: Agent;
  readonly #clients: Promise<void>[];
  #isStopped = false;

  /**
   * @param paths what each client asks for, in turn
   * @param count clients, each with one request at a time
   */
  constructor(server: { host: string; port: number }, paths: readonly string[], count: number) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: count });
    this.#clients = Array.from({ length: count }, async (_, client) => {
      for (let number = client; !this.#isStopped; number++) {
        const status = await this.#ask({ ...server, path: paths[number % paths.length] as string });
        if (status === undefined) this.failed += 1;
        else this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      }
    });
  }

  get answered(): number {
    return [...this.statuses.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Sends no more requests; resolves when the last responses have come. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
  }

  #ask(target: { host: string; port: number; path: string }): Promise<string | undefined> {
    return new Promise((resolve) => {
      const request = get({ ...target, agent: this.#agent, timeout: 30_000 }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.complete ? String(response.statusCode) : undefined));
        response.on("error", () => resolve(undefined));
        response.on("close", () => resolve(undefined));
      });
      request.on("timeout", () => request.destroy());
      request.on("error", () => resolve(undefined));
    });
  }
}
