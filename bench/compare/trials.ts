/** The trials that each server goes through, and their outcomes in a few words. */
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { readCorpus } from "../../test/http/corpus.ts";
import { Clients, get, quantile } from "./clients.ts";
import { type Running, STUCK_AFTER_S, type Subject } from "./subjects.ts";

export interface Trial {
  readonly name: string;
  run(running: Running, subject: Subject, folder: string): Promise<string>;
}

const DEADLINE_MS = 20_000;
const RELOADS = 5;
const SLOW_CLIENTS = 200;

async function within(
  condition: () => boolean | Promise<boolean>,
  limit = DEADLINE_MS,
): Promise<number | undefined> {
  const begun = performance.now();
  while (performance.now() - begun < limit) {
    if (await condition()) return performance.now() - begun;
    await pause(20);
  }
  return undefined;
}

export function answers(port: number): Promise<boolean> {
  return get(port, "/", false, 1000).then(({ error }) => error === undefined);
}

function losses({ answered, lost, lostCount }: Clients): string {
  const why = [...lost].map(([error, count]) => `${count} ${error}`).join(", ");
  return lostCount === 0 ? `0 of ${answered} lost` : `${lostCount} of ${answered + lostCount} lost (${why})`;
}

const THROWS = 'throw new Error("no licence");\n';
const BAD = { "server.mjs": THROWS, "gateway.mjs": THROWS, "app.py": 'raise RuntimeError("no licence")\n' };

const badDeploy: Trial = {
  name: "a deploy that throws at its start, under load",
  async run(running, subject, folder) {
    const clients = new Clients(running.port);
    await pause(1000);
    writeFileSync(join(folder, subject.file), BAD[subject.file]);
    await running.reload();
    await pause(4000);
    const serves = await answers(running.port);
    await clients.stop();
    return `${serves ? "serves on" : "**down**"}; ${losses(clients)}`;
  },
};

const reloads: Trial = {
  name: `${RELOADS} reloads under load`,
  async run(running) {
    const clients = new Clients(running.port);
    await pause(1000);
    for (let round = 0; round < RELOADS; round++) {
      await running.reload();
      await pause(2000);
    }
    return losses(await clients.stop());
  },
};

const killed: Trial = {
  name: "a worker is killed under load",
  async run(running) {
    const before = running.workers();
    const clients = new Clients(running.port);
    await pause(1000);
    process.kill(before[0] ?? 0, "SIGKILL");
    const took = await within(() => {
      const now = running.workers();
      return now.length === before.length && !now.includes(before[0] ?? 0);
    }, 5000);
    await pause(1000);
    const serves = await answers(running.port);
    await clients.stop();
    const replaced = took === undefined ? "not replaced" : `replaced after ${Math.round(took)} ms`;
    return `${serves ? replaced : "**down**"}; ${losses(clients)}`;
  },
};

const stuck: Trial = {
  name: `a request blocks its worker for ever (limit ${STUCK_AFTER_S} s)`,
  async run(running) {
    const before = running.workers();
    const blocked = get(running.port, "/block", false, DEADLINE_MS);
    await pause(500);
    const clients = new Clients(running.port, 2000);
    const took = await within(
      () => {
        const now = running.workers();
        return now.length === before.length && before.some((pid) => !now.includes(pid));
      },
      3 * STUCK_AFTER_S * 1000,
    );
    await pause(1000);
    await clients.stop();
    const { error } = await blocked;
    const replaced =
      took === undefined ? "not replaced in 15 s" : `replaced after ${((took + 500) / 1000).toFixed(1)} s`;
    return `${replaced}; others: ${losses(clients)}; the request itself: ${error ?? "answered"}`;
  },
};

/** Opens connections that send a byte of a head every second. */
async function slowClients(port: number): Promise<Socket[]> {
  const sockets = Array.from({ length: SLOW_CLIENTS }, () =>
    connect(port, "127.0.0.1").on("error", () => {}),
  );
  const head = "GET / HTTP/1.1\r\nHost: slow\r\nX-Long: ";
  for (const socket of sockets) socket.write(head.slice(0, 20));
  for (let second = 0; second < 3; second++) {
    await pause(1000);
    for (const socket of sockets) socket.write(head[20 + second] ?? "");
  }
  return sockets;
}

const slow: Trial = {
  name: `beside ${SLOW_CLIENTS} clients that send a byte a second`,
  async run(running) {
    const normal = new Clients(running.port);
    await pause(3000);
    await normal.stop();
    const sockets = await slowClients(running.port);
    const clients = new Clients(running.port, 2000);
    await pause(3000);
    await clients.stop();
    for (const socket of sockets) socket.destroy();
    const p99 = (of: Clients): string => `${quantile(of.times, 0.99).toFixed(0)} ms`;
    return clients.answered === 0
      ? `**nobody else is answered**: ${losses(clients)}`
      : `p99 ${p99(normal)} → ${p99(clients)}; ${losses(clients)}`;
  },
};

/** The final statuses that a connection's bytes get, until it is quiet or closed. */
function statusesOf(port: number, bytes: Buffer): Promise<string[]> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    const finish = (): void => {
      socket.destroy();
      resolve([...text.matchAll(/HTTP\/1\.[01] ([2-5]\d\d)/g)].map((match) => match[1] ?? ""));
    };
    socket.setTimeout(1000, finish);
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
    });
    socket.on("end", finish).on("error", finish);
    socket.write(bytes);
  });
}

const smuggling: Trial = {
  name: "malformed requests answered with 200",
  async run(running) {
    // The chapter of limits expects smaller ones than any server's defaults, and one whose content is at fault may be answered first.
    const cases = readCorpus().filter(
      ({ name, ending, partial }) =>
        typeof ending === "object" && partial === undefined && !name.startsWith("limits/"),
    );
    const accepted = new Map<string, number>();
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let item = cases[next++]; item !== undefined; item = cases[next++]) {
        const statuses = await statusesOf(running.port, item.bytes);
        if (statuses.filter((status) => status === "200").length <= item.requests.length) continue;
        const chapter = item.name.split("/")[0] ?? "";
        accepted.set(chapter, (accepted.get(chapter) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    const sum = [...accepted.values()].reduce((all, count) => all + count, 0);
    const chapters = [...accepted].map(([chapter, count]) => `${chapter} ${count}`).join(", ");
    return `${sum} of ${cases.length}${sum === 0 ? "" : ` (${chapters})`}`;
  },
};

export const TRIALS: readonly Trial[] = [badDeploy, reloads, killed, stuck, slow, smuggling];
