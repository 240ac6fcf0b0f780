/** Balancing long-lived connections: the rules as data, and the built command. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type Balance, balanceOf } from "../../../src/arbiter/pool/balance.ts";
import { type Roster, withBeat, withReady, withSpawned } from "../../../src/arbiter/pool/roster.ts";
import type { WorkerReport } from "../../../src/control/api.ts";
import { requestControl } from "../../../src/control/control-client.ts";
import { ask } from "../../support/ask.ts";
import { FIXTURES, isAlive, startCommand, temporaryFolder, until } from "../../support/command.ts";

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

/** The balance of the nth worker of a roster. */
function nth(index: number, workers: Roster, now = 0): Balance | undefined {
  return balanceOf(workers, now).get(index);
}

const sheds = (...connections: (number | undefined)[]): number[] =>
  [...balanceOf(roster(...connections), 0).values()].map(({ shed }) => shed);

test("a worker far ahead sheds what it has over the average", () => {
  assert.deepEqual(sheds(64, 0, 0, 0), [48, 0, 0, 0]);
  assert.deepEqual(sheds(64, undefined), [32, 0]);
  assert.deepEqual(sheds(0, 64), [0, 32]);
});

test("workers that are a little over the average shed if another is far below it", () => {
  assert.deepEqual(sheds(18, 18, 18, 10), [2, 2, 2, 0]);
  assert.deepEqual(sheds(17, 17, 17, 13), [0, 0, 0, 0]);
});

test("a small lead and a single worker shed nothing", () => {
  assert.deepEqual(sheds(18, 16, 14), [0, 0, 0]);
  assert.deepEqual(sheds(2, 0), [0, 0]);
  assert.deepEqual(sheds(500), [0]);
});

test("the share is an eighth over the average of the ready workers, and a few at least", () => {
  assert.equal(nth(1, roster(64, 0, 0, undefined))?.share, 18);
  assert.equal(nth(4, roster(64, 0, 0, undefined))?.share, 18);
  assert.equal(nth(1, roster(3, 0))?.share, 4);
  assert.equal(nth(1, roster(300))?.share, undefined);
  assert.equal(balanceOf([], 0).size, 0);
});

test("a worker that does not report is not compared with", () => {
  const workers = withBeat(roster(20, 4), 1, { connections: 20, requests: 0, debugged: false }, 5000);
  assert.deepEqual(nth(1, workers, 5000), { share: undefined, shed: 0 });
  const reports = withBeat(workers, 2, { connections: 4, requests: 0, debugged: false }, 5000);
  assert.deepEqual(nth(1, reports, 5000), { share: 14, shed: 8 });
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
        return now.length === 3 && Math.max(...now) < 40 && sheds(...now).every((each) => each === 0);
      },
      60_000,
    );
  });
}

test("new connections do not wait for a worker that stands still", async (context) => {
  const socket = join(temporaryFolder(context), "c.ctl");
  const args = [join(FIXTURES, "pool/echo.mjs"), "-w", "2", "-b", "127.0.0.1:0", "--control-socket", socket];
  const command = startCommand(context, args);
  await command.ready();
  const port = await command.port();
  const clients = Array.from({ length: 40 }, () => new KeptClient(port));
  context.after(() => {
    for (const client of clients) client.end();
  });
  await until("both have their share", async () => {
    const { body } = await requestControl(socket, "GET", "/workers");
    const counts = (body as WorkerReport[]).map(({ connections }) => connections);
    return Math.min(...counts) > 10 && sheds(...counts).every((each) => each === 0);
  });
  const [stopped] = command.workers();
  assert.ok(stopped !== undefined);
  process.kill(stopped, "SIGSTOP");
  context.after(() => isAlive(stopped) && process.kill(stopped, "SIGCONT"));
  const target = { host: "127.0.0.1", port };
  const burst = await Promise.all(Array.from({ length: 60 }, () => ask(target)));
  const later = [];
  for (let count = 0; count < 20; count += 1) later.push(await ask(target));
  process.kill(stopped, "SIGCONT");
  const pids = new Set([...burst, ...later].map(({ text }) => Number(text)));
  assert.deepEqual(
    [...pids],
    command.workers().filter((pid) => pid !== stopped),
  );
});
