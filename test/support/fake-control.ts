/**
 * A control socket whose answers the test decides: files that a real server could have sent, in states that a real one is
 * seldom in. What it was sent is kept.
 */

import { rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { TestContext } from "node:test";
import { cleanUp } from "./command.ts";

export interface FakeReply {
  readonly status: number;
  readonly body: unknown;
}

export class FakeControl {
  readonly path: string;
  /** By method and path, without the query. A function may wait before it answers. */
  readonly answers: Record<string, unknown | (() => FakeReply | Promise<FakeReply>)>;
  /** Method, path and content of each request that changes something. */
  readonly commands: string[] = [];
  #server: Server | undefined;

  constructor(path: string, answers: FakeControl["answers"]) {
    this.path = path;
    this.answers = answers;
  }

  async open(): Promise<void> {
    rmSync(this.path, { force: true });
    const server = createServer(async (request, response) => {
      let text = "";
      for await (const piece of request.setEncoding("utf8")) text += piece;
      const [path = ""] = (request.url ?? "").split("?");
      const name = `${request.method} ${path}`;
      if (request.method !== "GET") this.commands.push(`${name} ${text}`.trim());
      const answer = this.answers[name];
      const reply: FakeReply =
        typeof answer === "function"
          ? await answer()
          : answer === undefined
            ? { status: 404, body: { error: `unknown path ${path}` } }
            : { status: 200, body: answer };
      response.writeHead(reply.status, { "content-type": "application/json" });
      response.end(`${JSON.stringify(reply.body)}\n`);
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
  }

  /** As a server that has been killed: nobody listens any more. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  }
}

/** Opens one that ends with the test. */
export async function fakeControl(
  test: TestContext,
  path: string,
  answers: FakeControl["answers"],
): Promise<FakeControl> {
  const fake = new FakeControl(path, answers);
  await fake.open();
  cleanUp(test, () => fake.close());
  return fake;
}
