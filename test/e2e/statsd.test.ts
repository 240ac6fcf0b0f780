/** The real statsd, which passes what it is told to Graphite: here a listener that adds it up. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { cleanUp, isAlive, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { DatagramReceiver } from "../support/datagrams.ts";
import { freePort } from "../support/free-port.ts";
import { installPackages } from "../support/npm-packages.ts";
import { receiveUdp } from "../support/syslog-servers.ts";

const APP = `
export const handler = (request, respond) => {
  if (request.path === "/throw") throw new Error("on purpose");
  respond(request.path === "/missing" ? 404 : 200, {}, String(request.worker.pid));
};
`;

/** Statsd's count of what it has passed on, which comes with each flush. */
const FLUSHES = "stats.statsd.numStats";

interface Graphite {
  readonly port: number;
  /** The sum of all values of a name. */
  sum(name: string): number;
  /** The last value of a name. */
  last(name: string): number | undefined;
  /** How often statsd has passed on what it had. */
  flushes(): number;
}

async function graphite(test: TestContext): Promise<Graphite> {
  const values = new Map<string, number[]>();
  const server = createServer((socket) => {
    let rest = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) {
        const [name = "", value] = line.split(" ");
        values.set(name, [...(values.get(name) ?? []), Number(value)]);
      }
    });
    socket.on("error", () => {});
  });
  cleanUp(test, () => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sum: (name) => (values.get(name) ?? []).reduce((sum, value) => sum + value, 0),
    last: (name) => values.get(name)?.at(-1),
    flushes: () => values.get(FLUSHES)?.length ?? 0,
  };
}

/** Starts statsd; undefined if it cannot be had. */
async function statsd(test: TestContext): Promise<(Graphite & { readonly address: string }) | undefined> {
  const folder = temporaryFolder(test);
  writeFileSync(join(folder, "package.json"), "{}");
  if (!installPackages(test, folder, "statsd@0.9.0")) return undefined;
  const sink = await graphite(test);
  const port = await freePort();
  const config = {
    address: "127.0.0.1",
    port,
    mgmt_address: "127.0.0.1",
    mgmt_port: await freePort(),
    graphiteHost: "127.0.0.1",
    graphitePort: sink.port,
    graphite: { legacyNamespace: false },
    backends: ["./backends/graphite"],
    flushInterval: 250,
  };
  writeFileSync(join(folder, "config.js"), JSON.stringify(config));
  const program = join(folder, "node_modules", "statsd", "stats.js");
  const child = spawn(process.execPath, [program, join(folder, "config.js")], { stdio: "pipe" });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  cleanUp(test, async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await until("statsd flushes", () => {
    assert.equal(child.exitCode, null, output);
    return sink.flushes() > 0;
  });
  return { ...sink, address: `127.0.0.1:${port}` };
}

function project(test: TestContext): string {
  const folder = temporaryFolder(test);
  writeFileSync(join(folder, "app.mjs"), APP);
  return folder;
}

test("statsd has counted what was asked, through a reload, a kill and an upgrade", async (context) => {
  const server = await statsd(context);
  if (server === undefined) return;
  const folder = project(context);
  const args = ["app.mjs:handler", "-w", "2", "-b", "unix:app.sock", "--control-socket", "app.ctl"];
  const command = startCommand(
    context,
    [...args, "--statsd-host", server.address, "--statsd-prefix", "web.", "--enable-backlog-metric"],
    { cwd: folder },
  );
  await command.ready();
  const path = join(folder, "app.sock");
  const sent: Record<number, number> = { 200: 0, 404: 0, 500: 0 };
  const send = async (count: number): Promise<void> => {
    for (let number = 0; number < count; number++) {
      const { status } = await ask({ path }, ["/", "/", "/missing", "/throw"][number % 4]);
      sent[status] = (sent[status] as number) + 1;
    }
  };
  await send(40);
  command.kill("SIGHUP");
  await send(40);
  await command.ready(2);
  await until("the old workers are gone", () => command.workers().length === 2);
  process.kill(command.workers()[0] as number, "SIGKILL");
  await send(40);
  command.kill("SIGUSR2");
  await command.line(/Upgrading: new arbiter with pid/);
  await send(60);
  await until("the old arbiter is gone", () => !isAlive(command.pid));
  await send(20);
  const counter = (name: string): number => server.sum(`stats.counters.web.gunicorn.${name}.count`);
  const total = Object.values(sent).reduce((sum, count) => sum + count, 0);
  assert.equal(total, 200);
  await until(`statsd has all ${total}`, () => counter("requests") >= total);
  for (const [status, count] of Object.entries(sent))
    assert.equal(counter(`request.status.${status}`), count);
  assert.equal(counter("requests"), total);
  const timers = "stats.timers.web.gunicorn";
  assert.equal(Math.round(server.sum(`${timers}.request.duration.count`)), total);
  assert.ok((server.last(`${timers}.request.duration.mean`) ?? 1e9) < 1000);
  // Those of the app, and that of the killed worker.
  const logged = (level: string): number => command.stderr.split(` [${level}] `).length - 1;
  assert.equal(logged("ERROR"), (sent[500] as number) + 1);
  for (const [name, level] of Object.entries({ error: "ERROR", warning: "WARNING" }))
    assert.equal(counter(`log.${name}`), logged(level));
  await until("there are two workers", () => server.last("stats.gauges.web.gunicorn.workers") === 2);
  await until("the backlog is told", () => server.last(`${timers}.backlog.mean`) === 0);
  // Counts that the old arbiter had told are not told again once the new one has taken them over.
  const next = command.arbiters()[1] as number;
  process.kill(next, "SIGTERM");
  await until("the new arbiter is gone", () => !isAlive(next));
  const flushes = server.flushes();
  await until("statsd has flushed the rest", () => server.flushes() > flushes + 1);
  assert.equal(counter("requests"), total);
});

test("a reload changes the server that is told; tags; what is left is told at the end", async (context) => {
  if (!hasComponent(context, "python3")) return;
  const { port, received } = await receiveUdp(context);
  const folder = project(context);
  const configure = (settings: object): void =>
    writeFileSync(
      join(folder, "tsgun.config.json"),
      JSON.stringify({ app: "app.mjs:handler", bind: "unix:app.sock", controlSocket: false, ...settings }),
    );
  configure({ statsdHost: `localhost:${port}`, dogstatsdTags: "env:test,team:a" });
  const command = startCommand(context, [], { cwd: folder });
  await command.ready();
  const path = join(folder, "app.sock");
  await ask({ path });
  const lines = (): string[] => received.flatMap((datagram) => datagram.split("\n"));
  await until("the request is told", () => lines().includes("gunicorn.requests:1|c|#env:test,team:a"));
  assert.ok(lines().includes("gunicorn.workers:1|g|#env:test,team:a"));

  const socket = join(folder, "statsd.sock");
  const receiver = await DatagramReceiver.bind(socket);
  cleanUp(context, () => receiver.close());
  configure({ statsdHost: `unix://${socket}` });
  command.kill("SIGHUP");
  await command.ready(2);
  await until("the other server is told", () => receiver.received.flat().includes("gunicorn.workers:1|g"));
  const before = received.length;
  for (let number = 0; number < 7; number++) await ask({ path });
  assert.equal((await command.end()).code, 0);
  const counts = (): number[] =>
    receiver.received.flat().flatMap((line) => Number(/^gunicorn\.requests:(\d+)\|c$/.exec(line)?.[1] ?? []));
  await until("all are told", () => counts().reduce((sum, count) => sum + count, 0) >= 7);
  assert.equal(
    counts().reduce((sum, count) => sum + count, 0),
    7,
    "what the first server was told is not told again",
  );
  assert.equal(received.length, before);
});

test("a statsd server that is away is in the log once, and costs nothing", async (context) => {
  const folder = project(context);
  const port = await freePort();
  const command = startCommand(
    context,
    ["app.mjs:handler", "-b", "unix:app.sock", "--no-control-socket", "--statsd-host", `127.0.0.1:${port}`],
    { cwd: folder },
  );
  await command.ready();
  await command.line(/WARNING.*The statsd server 127\.0\.0\.1:\d+ cannot be reached; retrying: /);
  assert.equal((await ask({ path: join(folder, "app.sock") })).status, 200);
  assert.equal((await command.end()).code, 0);
  assert.equal(command.lines(/statsd/).length, 1);
});
