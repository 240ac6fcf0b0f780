/**
 * The arbiter answers whatever the workers do: under load, and with all of them in an endless loop. On a quiet machine
 * each answer takes milliseconds (the aim is 100); the bound here is for one with ten times the work it can do.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import type { StackReport } from "../../src/control/examination.ts";
import type { InFlightReport } from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import { startCommand, temporaryFolder, until } from "../support/command.ts";

const BOUND_MS = 3000;
/** Measured once after the first answer, for which the arbiter loads code. */
const PATHS = [
  ...[
    "/status",
    "/workers",
    "/stats",
    "/history",
    "/metrics",
    "/listeners",
    "/requests",
    "/config",
    "/events",
  ],
  ...["/logs", "/deaths", "/health/live", "/health/ready"],
];

test("every verb is answered at once under load, and with all workers in an endless loop", async (context) => {
  const folder = temporaryFolder(context);
  const socket = join(folder, "c.ctl");
  const args = ["control/app.mjs", "-b", "127.0.0.1:0", "-w", "2", "--control-socket", socket];
  const command = startCommand(context, [
    ...args,
    "--timeout",
    "1h",
    "--record-dir",
    join(folder, "records"),
  ]);
  await command.ready();
  const target = { host: "127.0.0.1", port: await command.port() };
  await until("it answers", async () => (await requestControl(socket, "GET", "/status")).status === 200);
  const measured = async (method: "GET" | "POST", path: string): Promise<readonly [number, unknown]> => {
    const since = performance.now();
    // Health says that it is not ready, which is an answer.
    const { status, text } = await ask({ path: socket }, path, method === "POST" ? "{}" : undefined);
    const took = performance.now() - since;
    assert.ok(status === 200 || (path === "/health/ready" && status === 503), `${path}: ${text}`);
    return [took, path === "/metrics" ? text : JSON.parse(text)];
  };
  const measureAll = async (when: string): Promise<void> => {
    const times = new Map<string, number>();
    for (const path of PATHS) {
      await measured("GET", path);
      times.set(`GET ${path}`, (await measured("GET", path))[0]);
    }
    times.set("POST /reopen", (await measured("POST", "/reopen"))[0]);
    const shown = [...times].map(([name, took]) => `${name} ${took.toFixed(1)} ms`).join(", ");
    context.diagnostic(`${when}: ${shown}`);
    assert.ok(Math.max(...times.values()) < BOUND_MS, `${when}: ${shown}`);
  };

  let isLoaded = true;
  const clients = Array.from({ length: 16 }, async () => {
    while (isLoaded) await ask(target, "/x");
  });
  await measureAll("under load");
  isLoaded = false;
  await Promise.all(clients);

  // Two requests may reach the same worker, so until each worker has one.
  const blocked = await until("both workers are blocked", async () => {
    ask(target, "/block").catch(() => {});
    const [, requests] = await measured("GET", "/requests");
    const pids = new Set((requests as InFlightReport[]).map(({ pid }) => pid));
    return pids.size === 2 ? pids : undefined;
  });
  await measureAll("with all workers blocked");
  const [, requests] = await measured("GET", "/requests");
  const shown = requests as InFlightReport[];
  assert.ok(shown.every(({ target: of, id, remote }) => of === "/block" && id === null && remote === null));
  for (const pid of blocked) {
    const [, stack] = await measured("GET", `/workers/${pid}/stack`);
    assert.match((stack as StackReport).stack[0] ?? "", /app\.mjs/);
  }
  await requestControl(socket, "POST", "/stop", { mode: "quick" });
});
