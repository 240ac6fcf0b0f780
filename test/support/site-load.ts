/** A load on `examples/nginx`: a few clients with kept connections send GET and POST in turn and retry nothing. */
import type { Agent } from "node:https";
import { until } from "./command.ts";
import type { NginxExample } from "./nginx-example.ts";

export interface SiteFailure {
  readonly method: string;
  /** How it failed. */
  readonly what: string;
}

/** The load stops after so many failures. */
const MAX_FAILURES = 100;

export class SiteLoad {
  /** Correct responses of each server, by its number. */
  readonly answered = new Map<string, number>();
  readonly failures: SiteFailure[] = [];
  readonly #site: NginxExample;
  readonly #clients: Promise<unknown>;
  #right = 0;
  #stopped = false;

  constructor(site: NginxExample, clients: number) {
    this.#site = site;
    this.#clients = Promise.all(Array.from({ length: clients }, (_, client) => this.#run(client)));
  }

  /** Waits for so many more correct responses. */
  async more(answers: number): Promise<void> {
    const goal = this.#right + answers;
    await until(`${answers} more answers have come`, () => this.#right >= goal);
  }

  /** Sends nothing more, and waits for the outstanding responses. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#clients;
  }

  async #run(client: number): Promise<void> {
    const agent = this.#site.keptConnection();
    for (let number = client; !this.#stopped && this.failures.length < MAX_FAILURES; number++) {
      const method = number % 2 === 0 ? "GET" : "POST";
      await this.#ask(method, `${client} ${number}`, agent);
    }
    agent.destroy();
  }

  async #ask(method: "GET" | "POST", content: string, agent: Agent): Promise<void> {
    const body = method === "POST" ? content : "";
    try {
      const answer = await this.#site.ask("/api/echo", { method, body, agent });
      if (answer.status !== 200) throw new Error(`status ${answer.status}`);
      if (answer.text !== body) throw new Error(`it answers ${JSON.stringify(answer.text)}`);
      const server = String(answer.headers["x-served-by"]).split("/")[0] ?? "";
      this.answered.set(server, (this.answered.get(server) ?? 0) + 1);
      this.#right += 1;
    } catch (error) {
      this.failures.push({ method, what: (error as Error).message });
    }
  }
}
