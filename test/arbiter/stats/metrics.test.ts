/** /stats, /history and /metrics of a running server: the values, both texts, and that blocked workers delay none. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { requestControl } from "../../../src/control/control-client.ts";
import type { HistoryReport, StatsReport } from "../../../src/control/stats.ts";
import { ask } from "../../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../../support/command.ts";
import { hasComponent } from "../../support/component.ts";
import { freePort } from "../../support/free-port.ts";

const APP = join(FIXTURES, "stats", "app.mjs");

/** The value of a sample of Prometheus' text; undefined if it is not there. */
function sample(text: string, name: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

test("the figures of a running server are what its clients sent", async (context) => {
  const socket = { path: join(temporaryFolder(context), "c.ctl") };
  const port = await freePort();
  const command = startCommand(context, [
    ...[APP, "-b", `127.0.0.1:${port}`, "-w", "2", "--control-socket", socket.path],
    ...["--admin-bind", "127.0.0.1:0", "--metrics-compat", "prom-client"],
  ]);
  await command.ready();
  const server = { host: "127.0.0.1", port };
  const stats = async (): Promise<StatsReport> =>
    JSON.parse((await ask(socket, "/stats")).text) as StatsReport;
  for (let each = 0; each < 7; each++) assert.equal((await ask(server, "/")).status, 200);
  for (let each = 0; each < 3; each++) assert.equal((await ask(server, "/broken")).status, 500);

  await context.test("GET /stats has the totals, and what each worker does", async () => {
    const report = await until("all requests are counted", async () => {
      const found = await stats();
      return found.totals.requests === 10 && found;
    });
    assert.equal(report.totals.byClass["2xx"], 7);
    assert.equal(report.totals.byClass["5xx"], 3);
    assert.equal(report.totals.starts, 2);
    assert.deepEqual(report.workerStates, { booting: 0, ready: 2, draining: 0, stuck: 0 });
    assert.equal(
      report.workers.reduce((sum, { requests }) => sum + requests, 0),
      10,
    );
    assert.equal(report.listeners[0]?.address, `http://127.0.0.1:${port}`);
  });

  await context.test(
    "GET /metrics is in Prometheus' format, or in OpenMetrics if that is asked for",
    async () => {
      const admin = new URL(/Health at: (\S+)/.exec(command.stderr)?.[1] ?? "");
      const plain = await until("a worker that worked has measured itself", async () => {
        const found = await ask({ host: admin.hostname, port: Number(admin.port) }, "/metrics");
        return /^nodejs_heap_size_used_bytes\{slot="[12]"\} [1-9]\d+$/m.test(found.text) && found;
      });
      assert.equal(plain.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
      const requests =
        'http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="500",url_scheme="http",network_protocol_version="1.1"}';
      assert.equal(sample(plain.text, requests), 3);
      assert.equal(sample(plain.text, 'tsgun_workers{state="ready"}'), 2);
      assert.doesNotMatch(plain.text, /\bpid=/, "no label is a pid");
      const open = await openMetrics(socket.path);
      assert.equal(open.type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
      assert.match(open.text, /\n# EOF\n$/);
      assert.match(open.text, /^# TYPE tsgun_worker_starts counter$/m);
      if (!hasComponent(context, "promtool", "prometheus")) return;
      const checked = spawnSync("promtool", ["check", "metrics"], { input: plain.text, encoding: "utf8" });
      assert.equal(checked.status, 0, checked.stdout + checked.stderr);
    },
  );

  await context.test("GET /history has points of the last minutes", async () => {
    const history = await until("there is a point", async () => {
      const found = JSON.parse((await ask(socket, "/history")).text) as HistoryReport;
      return found.time.length > 0 && found;
    });
    assert.equal(history.inFlight.length, history.time.length);
    assert.deepEqual(
      history.slots.map(({ slot }) => slot),
      [1, 2],
    );
    const last = history.time.at(-1) as number;
    const later = JSON.parse((await ask(socket, `/history?since=${last}`)).text) as HistoryReport;
    assert.ok(later.time.every((time) => time > last));
    assert.equal((await ask(socket, "/history?since=yesterday")).status, 400);
  });

  await context.test("are told at once while every worker is blocked", async () => {
    // Which worker a request reaches is up to the kernel: ask until all are blocked.
    let asked = 0;
    const all = await until("both workers have a request that blocks them", async () => {
      const report = await stats();
      if (report.workers.every(({ inFlight }) => inFlight > 0)) return report;
      if (asked++ % 20 === 0)
        request({ ...server, path: "/spin" })
          .on("error", () => {})
          .end();
      return undefined;
    });
    assert.equal(all.totals.requests, 10);
    const times: number[] = [];
    for (const path of ["/stats", "/metrics", "/history", "/stats", "/metrics"]) {
      const begunAt = performance.now();
      assert.equal((await ask(socket, path)).status, 200);
      times.push(performance.now() - begunAt);
    }
    context.diagnostic(
      `answers while all workers block: ${times.map((time) => time.toFixed(0)).join(", ")} ms`,
    );
    assert.ok(Math.max(...times) < 1000, `${times} ms`);
    const { text } = await ask(socket, "/metrics");
    assert.ok(
      (sample(text, 'http_server_active_requests{http_request_method="GET",url_scheme="http"}') ?? 0) >= 2,
    );
    for (const { pid } of all.workers) process.kill(pid, "SIGKILL");
    const after = await until("the killed requests are counted", async () => {
      const found = await stats();
      return found.totals.exits.killed === 2 && found;
    });
    assert.ok((after.totals.byClass.none ?? 0) >= 2);
    assert.equal(after.isCounting, true);
    assert.equal(after.workers.find(({ slot }) => slot === 1)?.lastExit?.reason, "killed");
  });

  await context.test("GET /stats tells when the generation that serves was begun", async () => {
    const before = (await stats()).server;
    const begunAt = Date.parse(before.generationStartedAt ?? "");
    assert.equal(before.generation, 1);
    assert.ok(begunAt >= Date.parse(before.startedAt) - 1000 && begunAt <= Date.now());
    const asked = Date.now();
    assert.equal((await requestControl(socket.path, "POST", "/reload")).status, 200);
    const { generation, generationStartedAt } = (await stats()).server;
    assert.equal(generation, 2);
    const reloadedAt = Date.parse(generationStartedAt ?? "");
    assert.ok(reloadedAt >= asked && reloadedAt <= Date.now(), `${generationStartedAt}`);
  });
});

test("without the scoreboard the arbiter tells what it knows itself", async (context) => {
  const socket = { path: join(temporaryFolder(context), "c.ctl") };
  const port = await freePort();
  const command = startCommand(context, [
    APP,
    "-b",
    `127.0.0.1:${port}`,
    "--no-metrics",
    "--control-socket",
    socket.path,
  ]);
  await command.ready();
  await ask({ host: "127.0.0.1", port });
  const report = JSON.parse((await ask(socket, "/stats")).text) as StatsReport;
  assert.deepEqual([report.totals.starts, report.workers.length, report.totals.requests], [1, 1, 0]);
  assert.equal(report.isCounting, false);
  assert.equal(sample((await ask(socket, "/metrics")).text, "tsgun_worker_starts_total"), 1);
});

function openMetrics(socketPath: string): Promise<{ type: string | undefined; text: string }> {
  const [head, ...rest] = execFileSync(
    "curl",
    [
      "-si",
      "-H",
      "Accept: application/openmetrics-text",
      "--unix-socket",
      socketPath,
      "http://tsgun/metrics",
    ],
    { encoding: "utf8" },
  ).split("\r\n\r\n");
  return Promise.resolve({
    type: /content-type: (.*)\r?$/im.exec(head ?? "")?.[1]?.trim(),
    text: rest.join("\r\n\r\n"),
  });
}
