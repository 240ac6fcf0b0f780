/**
 * Responses of a running server against the schemas of docs/openapi.yaml: all routes, and every member that a schema
 * names, in some response.
 */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { WorkerReport } from "../../src/control/api.ts";
import type { StackReport, TraceReport } from "../../src/control/examination.ts";
import { followControl } from "../../src/control/follow.ts";
import type { DeathReport, EventReport, HistoryReport } from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { Responses } from "../support/openapi.ts";

test("every response of a running server is as docs/openapi.yaml says, and every member of it occurs", async (context) => {
  const folder = temporaryFolder(context);
  const socket = join(folder, "c.ctl");
  const app = join(folder, "app.mjs");
  copyFileSync(join(FIXTURES, "control/app.mjs"), app);
  const args = [
    "app.mjs",
    "-b",
    "127.0.0.1:0",
    "-w",
    "2",
    "--max-in-flight",
    "1000",
    "--control-socket",
    socket,
  ];
  const more = ["--timeout", "5s", "--record-dir", join(folder, "records"), "--access-logfile", "/dev/null"];
  const command = startCommand(context, [...args, ...more], { cwd: folder });
  await command.ready();
  const responses = new Responses();

  /** Sends a request to the control socket and checks the response. `path` is as in the file; `to` what is asked. */
  const call = (method: "get" | "post", path: string, to = path, body?: unknown, accept?: string) =>
    new Promise<{ readonly status: number; readonly body: unknown }>((resolve, reject) => {
      const headers = accept === undefined ? {} : { accept };
      const options = { socketPath: socket, path: to, method: method.toUpperCase(), headers, agent: false };
      const outgoing = request(options, async (incoming) => {
        let text = "";
        for await (const piece of incoming.setEncoding("utf8")) text += piece;
        const status = incoming.statusCode ?? 0;
        const type = (incoming.headers["content-type"] ?? "").split(";")[0] as string;
        const content = type === "application/json" ? JSON.parse(text) : text;
        try {
          responses.check(method, path, status, type, content);
          resolve({ status, body: content });
        } catch (error) {
          reject(error as Error);
        }
      });
      outgoing.once("error", reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  await until("it answers", async () => (await call("get", "/status")).status === 200);
  const workers = async (): Promise<WorkerReport[]> => (await call("get", "/workers")).body as WorkerReport[];
  const target = { host: "127.0.0.1", port: await command.port() };
  const lost = (path: string): void => void ask(target, path).catch(() => {});

  // Reports of a server that works.
  const slow = ask(target, "/slow");
  await until("a request is in flight", async () => {
    const { body } = await call("get", "/requests");
    return (body as unknown[]).length === 1;
  });
  await until("all are released", async () => {
    for (let count = 0; count < 4; count++) await ask(target, "/release");
    return ((await call("get", "/requests")).body as unknown[]).length === 0;
  });
  await slow.catch(() => {});

  await call("get", "/listeners");
  await call("get", "/config");
  await call("get", "/metrics");
  await call("get", "/metrics", "/metrics", undefined, "application/openmetrics-text; version=1.0.0");
  await call("get", "/history", "/history?since=1");
  await call("get", "/history", "/history?since=x");
  for (const path of ["/health/live", "/health/startup", "/health/ready"]) await call("get", path);
  await call("post", "/inject", "/inject", { path: "/x" });
  await call("post", "/inject", "/inject", { path: "x" });
  await call("post", "/inject", "/inject", { path: "/", slot: 9 });
  for (const path of ["/events", "/logs"]) {
    await call("get", path);
    await call("get", path, `${path}?since=-`);
    const end = new AbortController();
    await followControl(
      socket,
      `${path}?follow=1`,
      (record) => {
        responses.check("get", path, 200, "application/x-ndjson", record);
        end.abort();
      },
      end.signal,
    );
  }

  // Commands, which succeed and fail.
  await call("post", "/reopen");
  await call("post", "/reload");
  const code = readFileSync(app);
  writeFileSync(app, 'throw new Error("it is broken");');
  assert.equal((await call("post", "/reload")).status, 409);
  writeFileSync(app, code);
  await call("post", "/scale", "/scale", { workers: "two" });
  await call("post", "/workers/{pid}/restart", "/workers/1/restart");
  const first = (await workers()).find(({ state }) => state === "ready");
  await call("post", "/workers/{pid}/restart", `/workers/${first?.pid}/restart`);
  // A worker that is examined, one that throws, and one that blocks and is killed.
  const [examined] = (await workers()).filter(({ state }) => state === "ready");
  const of = `/workers/${examined?.pid}`;
  await call("post", "/workers/{pid}/profile", `${of}/profile`, { seconds: 1 });
  await call("get", "/workers/{pid}/heap", `${of}/heap`);
  await call("post", "/workers/{pid}/heap", `${of}/heap`);
  await call("get", "/workers/{pid}/stack", "/workers/1/stack");
  await call("get", "/trace", "/trace?minutes=99");
  await call("get", "/deaths/{id}", "/deaths/1");
  const exits = async (): Promise<EventReport[]> =>
    ((await call("get", "/events")).body as EventReport[]).filter(({ reason }) => reason === "crash");
  lost("/throw");
  await until("a worker has thrown", async () => (await exits()).length === 1);
  await until(
    "both serve",
    async () => (await workers()).filter(({ state }) => state === "ready").length === 2,
  );
  await until("a request is among the slowest", async () => {
    await ask(target, "/x");
    return ((await call("get", "/trace")).body as TraceReport).requests.length > 0;
  });
  // A worker whose process is stopped is left out of the trace.
  const { pid: stopped = 0 } = (await workers())[0] ?? {};
  process.kill(stopped, "SIGSTOP");
  const trace = (await call("get", "/trace")).body as TraceReport;
  process.kill(stopped, "SIGCONT");
  assert.deepEqual(
    trace.skipped.map(({ pid }) => pid),
    [stopped],
  );
  lost("/parent");
  const stuck = await until("a worker is blocked", async () => {
    for (const { pid } of await workers()) {
      const { status, body } = await call("get", "/workers/{pid}/stack", `/workers/${pid}/stack`);
      const { stack = [], children = [] } = body as Partial<StackReport>;
      const isInApp = stack.some((frame) => frame.includes("app.mjs"));
      if (status === 200 && isInApp && children.length > 0) return pid;
    }
    return undefined;
  });
  await until("it has been killed", async () => {
    const events = (await call("get", "/events")).body as EventReport[];
    return events.some(({ type, pid }) => type === "worker-exit" && pid === stuck);
  });
  const deaths = await until("both ends are recorded", async () => {
    const found = (await call("get", "/deaths")).body as DeathReport[];
    return found.length >= 2 ? found : undefined;
  });
  for (const { id } of deaths) await call("get", "/deaths/{id}", `/deaths/${id}`);
  await call("get", "/stats");
  await until("the history knows the slots", async () => {
    const { slots } = (await call("get", "/history")).body as HistoryReport;
    return slots.length === 2;
  });

  await call("post", "/scale", "/scale", { workers: 2 });
  command.kill("SIGHUP");
  await call("post", "/upgrade");
  await call("post", "/stop", "/stop", { mode: "slowly" });
  await call("post", "/stop", "/stop", { mode: "quick" });

  assert.deepEqual(responses.missingResponses, []);
  assert.deepEqual(responses.missingMembers, []);
});
