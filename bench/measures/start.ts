/** Time and CPU time from the start of the command to the first answer. */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Core } from "../lib/pinning.ts";
import { cpuOf } from "../lib/processes.ts";
import { start } from "../lib/running.ts";
import type { Candidate, Measure, Values } from "../lib/scenario.ts";
import { freshEachRound } from "./fresh.ts";

/** Limit for the first answer. */
const START_MS = 20_000;
const HELLO = "Hello, world\n";

/** Whether the server sends the whole answer; false while it does not listen yet. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      socket.write("GET /hello HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    });
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer += text;
    });
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(answer.startsWith("HTTP/1.1 200 ") && answer.includes(HELLO)));
  });
}

async function startOnce({ name, server, launch }: Candidate, core: Core): Promise<Values | undefined> {
  const running = await start(server, name, launch, { core });
  if (running === undefined) return undefined;
  const { program } = running;
  try {
    while (!(await answers(running.address as number))) {
      if (program.hasEnded || performance.now() - program.startedAt > START_MS)
        throw new Error(`it does not answer:\n${program.output}`);
      await delay(1);
    }
    const time = performance.now() - program.startedAt;
    const used = cpuOf(program.pid);
    return { cpu: used.total / 1e6, time };
  } finally {
    await running.stop();
  }
}

export const STARTS: Measure = {
  figures: [
    { key: "cpu", head: "CPU ms", digits: 0 },
    { key: "time", head: "ms", digits: 0 },
  ],
  open: (candidate, { cores }) => freshEachRound(() => startOnce(candidate, cores?.server), { warms: true }),
};
