/**
 * `npm run chaos:worker -- [--requests N] [--connections N] [--app gateway|listener] [--node PATH]`: a worker's memory over
 * so many requests on connections that are kept, and then over so many connections with a request each. Its heap is measured
 * after collections. wrk is the client.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseArgs, promisify } from "node:util";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { readMetrics, sumOf } from "../support/metrics-text.ts";
import { askProbe, memoryText } from "./probed-arbiter.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "1000000" },
    connections: { type: "string", default: "100000" },
    app: { type: "string", default: "gateway" },
    node: { type: "string", default: process.execPath },
  },
});
const APPS: { readonly [name: string]: string } = {
  gateway:
    'export const app = (request, respond) => respond(200, { "content-type": "text/plain" }, "hello");\n',
  listener: 'export const app = (request, response) => response.end("hello");\n',
};
const INTERFACES: { readonly [name: string]: string } = { gateway: "gateway", listener: "node" };
const ROWS = 10;
const CLOSE = ["-H", "Connection: close"];
const run = promisify(execFile);

test(`memory of a worker that serves a ${values.app} app`, async (context) => {
  if (!hasComponent(context, "wrk")) return;
  const source = APPS[values.app];
  const kind = INTERFACES[values.app];
  if (source === undefined || kind === undefined) throw new Error(`--app is ${values.app}`);
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "app.mjs"), source);
  const [probe, control] = [join(folder, "probe"), join(folder, "control")];
  const preload = `NODE_OPTIONS=--require ${join(FIXTURES, "chaos", "memory-probe.cjs")}`;
  const command = startCommand(
    context,
    [
      ...["app.mjs:app", "--interface", kind, "-b", "127.0.0.1:0", "--control-socket", control, "-w", "1"],
      ...["-e", preload, "-e", `MEMORY_PROBE=${probe}`],
    ],
    { cwd: folder, node: values.node },
  );
  await command.ready();
  const url = `http://127.0.0.1:${await command.port()}/`;
  const counted = async (): Promise<number> => {
    const { text } = await ask({ path: control }, "/metrics");
    return sumOf(readMetrics(text).samples, "http_server_request_duration_seconds_count");
  };
  const load = async (count: number, more: readonly string[]): Promise<void> => {
    const goal = (await counted()) + count;
    while ((await counted()) < goal)
      await run("wrk", ["-t", "1", "-c", "50", "-d", "2s", "--latency", ...more, url]);
  };
  const measure = async (name: string, count: number, more: readonly string[]): Promise<void> => {
    if (count === 0) return;
    await load(1000, more);
    const first = await counted();
    for (let row = 0; row <= ROWS; row++) {
      await load(Math.max(0, first + (count / ROWS) * row - (await counted())), more);
      console.log(`${name} ${(await counted()) - first}: ${memoryText(await askProbe(probe))}`);
    }
  };
  await measure("requests", Number(values.requests), []);
  await measure("connections", Number(values.connections), CLOSE);
});
