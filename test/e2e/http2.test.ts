/**
 * HTTP/2 under the load of h2load, behind HAProxy: workers and the server are replaced, and no request fails. HAProxy is
 * set up as docs/http2.md says: h2load does not repeat requests that were refused.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import {
  FIXTURES,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";
import { startHaproxy } from "../support/haproxy.ts";

const run = promisify(execFile);
const APPS = [
  { kind: "a gateway app", app: join(FIXTURES, "pool", "echo.mjs"), upgrades: true },
  {
    kind: "a node listener",
    app: `${join(FIXTURES, "pool", "slow-listener.mjs")}:listener`,
    upgrades: false,
  },
];
/** How long a run of h2load lasts. One that is ended prints no summary. */
const RUN_SECONDS = 3;

/** The numbers of h2load's summary by their names: total, started, done, succeeded, failed, errored, timeout; 2xx to 5xx. */
function summary(output: string): Record<string, number> {
  const lines = output.split("\n").filter((line) => /^(requests|status codes):/.test(line));
  return Object.fromEntries(
    [...lines.join(" ").matchAll(/(\d+) (\w+)/g)].map(([, number, name]) => [name, Number(number)]),
  );
}

/**
 * Two clients side by side that repeat their runs until `isOver`: the load lasts as long as the journey, on any machine, and
 * never pauses, since the second begins in the middle of a run of the first.
 *
 * @returns the summaries of all runs
 */
async function load(url: string, isOver: () => boolean): Promise<string[]> {
  const words = ["-D", `${RUN_SECONDS}`, "-c", "4", "-m", "10", url];
  const outputs: string[] = [];
  const repeat = async (delay: number): Promise<void> => {
    await pause(delay);
    do outputs.push((await run("h2load", words, { timeout: (RUN_SECONDS + 60) * 1000 })).stdout);
    while (!isOver());
  };
  await Promise.all([repeat(0), repeat((RUN_SECONDS * 1000) / 2)]);
  return outputs;
}

async function journey(command: RunningCommand, upgrades: boolean): Promise<void> {
  command.kill("SIGHUP");
  await command.ready(2);
  if (!upgrades) return;
  command.kill("SIGHUP");
  await command.ready(3);
  command.kill("SIGUSR2");
  await until("the old arbiter is gone", () => command.arbiters().length > 1 && !isAlive(command.pid));
}

for (const { kind, app, upgrades } of APPS)
  test(`HUP${upgrades ? " and USR2" : ""} under h2load behind HAProxy lose no request of ${kind}`, async (context) => {
    if (!hasComponent(context, "haproxy") || !hasComponent(context, "h2load", "nghttp2-client")) return;
    const folder = temporaryFolder(context);
    const words = ["-b", "127.0.0.1:0", "-w", "2", "--http-protocols", "h1,h2"];
    const command = startCommand(context, [app, ...words, "--control-socket", join(folder, "c.ctl")]);
    await command.ready();
    const appPort = await command.port();
    const port = await freePort();
    const haproxy = await startHaproxy(
      context,
      folder,
      `
global
  maxconn 200
defaults
  mode http
  retry-on conn-failure empty-response
  log stdout local0 notice
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen app
  bind 127.0.0.1:${port} proto h2
  http-request disable-l7-retry unless { method GET HEAD OPTIONS }
  server app 127.0.0.1:${appPort} proto h2
`,
      port,
    );
    let isOver = false;
    const loading = load(`http://127.0.0.1:${port}/slow?2`, () => isOver);
    // Awaited behind the journey: an error of it must not end the process meanwhile.
    loading.catch(() => {});
    try {
      await journey(command, upgrades);
    } finally {
      isOver = true;
    }
    const outputs = await loading;
    let answered = 0;
    for (const stdout of outputs) {
      const { failed, errored, timeout, "3xx": c3, "4xx": c4, "5xx": c5, "2xx": c2 = 0 } = summary(stdout);
      assert.deepEqual(
        [failed, errored, timeout, c3, c4, c5],
        [0, 0, 0, 0, 0, 0],
        `${stdout}\n${haproxy.log()}`,
      );
      answered += c2;
    }
    assert.ok(answered > 500, outputs.join("\n"));
    assert.deepEqual(command.lines(/WARNING|ERROR/), []);
  });
