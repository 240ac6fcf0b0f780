/**
 * HTTP/2 under the load of h2load, behind HAProxy: workers and the server are replaced, and no request fails. HAProxy is
 * set up as docs/http2.md says: h2load does not repeat requests that were refused.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { FIXTURES, isAlive, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";
import { startHaproxy } from "../support/haproxy.ts";

const run = promisify(execFile);
const APPS = [
  { kind: "a gateway app", app: join(FIXTURES, "pool", "echo.mjs"), seconds: 15, upgrades: true },
  {
    kind: "a node listener",
    app: `${join(FIXTURES, "pool", "slow-listener.mjs")}:listener`,
    seconds: 8,
    upgrades: false,
  },
];

/** The numbers of h2load's summary by their names: total, started, done, succeeded, failed, errored, timeout; 2xx to 5xx. */
function summary(output: string): Record<string, number> {
  const lines = output.split("\n").filter((line) => /^(requests|status codes):/.test(line));
  return Object.fromEntries(
    [...lines.join(" ").matchAll(/(\d+) (\w+)/g)].map(([, number, name]) => [name, Number(number)]),
  );
}

for (const { kind, app, seconds, upgrades } of APPS)
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
    const load = ["-D", `${seconds}`, "-c", "8", "-m", "10", `http://127.0.0.1:${port}/slow?2`];
    const loading = run("h2load", load, { timeout: (seconds + 30) * 1000 });
    let isOver = false;
    const over = loading.finally(() => {
      isOver = true;
    });
    const ends: string[] = [];
    const step = async (what: string, take: () => Promise<unknown>): Promise<void> => {
      await take();
      if (!isOver) ends.push(what);
    };
    await step("HUP", async () => {
      command.kill("SIGHUP");
      await command.ready(2);
    });
    if (upgrades) {
      await step("HUP again", async () => {
        command.kill("SIGHUP");
        await command.ready(3);
      });
      await step("USR2", async () => {
        command.kill("SIGUSR2");
        await until("the old arbiter is gone", () => command.arbiters().length > 1 && !isAlive(command.pid));
      });
    }
    const { stdout } = await over;
    const numbers = summary(stdout);
    const all = upgrades ? ["HUP", "HUP again", "USR2"] : ["HUP"];
    assert.deepEqual(ends, all, "all of them under load");
    const { failed, errored, timeout, "3xx": c3, "4xx": c4, "5xx": c5 } = numbers;
    assert.deepEqual(
      [failed, errored, timeout, c3, c4, c5],
      [0, 0, 0, 0, 0, 0],
      `${stdout}\n${haproxy.log()}`,
    );
    assert.ok((numbers["2xx"] ?? 0) > 500, stdout);
    assert.deepEqual(command.lines(/WARNING|ERROR/), []);
  });
