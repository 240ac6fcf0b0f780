/** Balancing long-lived connections: the rules as data, and the built command. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { averageConnections, excessConnections } from "../../../src/arbiter/pool/balance.ts";
import { type Roster, withBeat, withReady, withSpawned } from "../../../src/arbiter/pool/roster.ts";
import type { WorkerReport } from "../../../src/control/api.ts";
import { requestControl } from "../../../src/control/control-client.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../../support/command.ts";

function roster(...connections: (number | undefined)[]): Roster {
  return connections.reduce<Roster>((workers, count, index) => {
    const id = index + 1;
    const ready = withReady(
      withSpawned(workers, { id, slot: id, generation: 1, maxSilence: 30_000 }, 0),
      id,
      0,
    );
    return count === undefined
      ? ready
      : withBeat(ready, id, { connections: count, requests: 0, debugged: false }, 0);
  }, []);
}

test("a worker sheds half of its excess when it has far more than the average", () => {
  assert.equal(excessConnections(roster(64, 0, 0, 0), 1), 24);
  assert.equal(excessConnections(roster(64, undefined), 1), 16);
  assert.equal(excessConnections(roster(0, 64), 1), 0);
});

test("the average counts ready workers, and needs at least two", () => {
  assert.equal(averageConnections(roster(64, 0, 0, undefined)), 16);
  assert.equal(averageConnections(roster(3, 0)), 2);
  assert.equal(averageConnections(roster(3)), undefined);
  assert.equal(averageConnections([]), undefined);
});

test("a small excess and a single worker shed nothing", () => {
  assert.equal(excessConnections(roster(18, 16, 14), 1), 0);
  assert.equal(excessConnections(roster(2, 0), 1), 0);
  assert.equal(excessConnections(roster(500), 1), 0);
  assert.equal(excessConnections(roster(500), 9), 0);
});

/** A client that keeps sending requests on one connection, and reconnects when told to close it. */
class KeptClient {
  readonly #port: number;
  #socket: Socket | undefined;
  #ended = false;

  constructor(port: number) {
    this.#port = port;
    this.#open();
  }

  #open(): void {
    if (this.#ended) return;
    const socket = connect(this.#port, "127.0.0.1");
    this.#socket = socket;
    const ask = (): boolean => socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    socket.setEncoding("latin1");
    socket.on("connect", ask);
    socket.on("data", (text: string) => {
      if (/\r\nConnection: close\r\n/i.test(text)) socket.end();
      else setTimeout(ask, 20);
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#open());
  }

  end(): void {
    this.#ended = true;
    this.#socket?.destroy();
  }
}

describe("new workers get their share after TTIN", { concurrency: true }, () => {
  for (const app of ["pool/echo.mjs", "pool/listener.cjs"]) testShares(app);
});

function testShares(app: string): void {
  test(app, async (context) => {
    const socket = join(temporaryFolder(context), "c.ctl");
    const args = [join(FIXTURES, app), "-b", "127.0.0.1:0", "--control-socket", socket];
    const command = startCommand(context, args);
    await command.ready();
    const port = await command.port();
    const clients = Array.from({ length: 40 }, () => new KeptClient(port));
    context.after(() => {
      for (const client of clients) client.end();
    });
    const counts = async (): Promise<number[]> => {
      const { body } = await requestControl(socket, "GET", "/workers");
      return (body as WorkerReport[]).map(({ connections }) => connections);
    };
    await until("one worker has them all", async () => (await counts())[0] === 40);
    await requestControl(socket, "POST", "/scale", { workers: 3 });
    // Two workers have to boot first, and the counts change with their beats.
    await until(
      "no worker has more than the rule tolerates",
      async () => {
        const now = await counts();
        const ids = now.map((_, index) => index + 1);
        return now.length === 3 && ids.every((id) => excessConnections(roster(...now), id) === 0);
      },
      60_000,
    );
  });
}
