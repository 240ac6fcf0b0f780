/** The commands of `tsgun ctl` that look into a running server, as a person uses them. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { EventReport, LogReport } from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import { COMMAND, cleanUp, FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";

interface Ctl {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out: string;
  err: string;
}

function ctl(context: TestContext, socket: string, ...args: string[]): Ctl {
  const child = spawn(process.execPath, [COMMAND, "ctl", "--control-socket", socket, ...args], {
    cwd: FIXTURES,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const running: Ctl = { child, ended, out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    running.out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    running.err += text;
  });
  cleanUp(context, () => child.kill("SIGKILL"));
  return running;
}

test("requests, config, events, logs and inject, for people and as JSON", async (context) => {
  const folder = temporaryFolder(context);
  const socket = join(folder, "c.ctl");
  const args = ["control/app.mjs", "-b", "127.0.0.1:0", "--control-socket", socket, "-w", "1"];
  const command = startCommand(context, [...args, "-e", "KEY=s3cret", "--access-logfile", "/dev/null"]);
  await command.ready();
  const run = async (...words: string[]): Promise<Ctl & { readonly code: number | null }> => {
    const running = ctl(context, socket, ...words);
    const code = await running.ended;
    return { ...running, code };
  };
  const target = { host: "127.0.0.1", port: await command.port() };

  const events = ctl(context, socket, "events", "-f");
  const logs = ctl(context, socket, "logs", "--follow", "--json");
  await until(
    "events and logs are followed",
    () => /is ready \(slot 1\)/.test(events.out) && logs.out !== "",
  );

  assert.match(
    (await run("listeners")).out,
    /^ADDRESS +SLOT +WAITING +LIMIT\nhttp:\/\/127\.0\.0\.1:\d+ +all +\S+ +\S+$/m,
  );
  assert.match((await run("stats")).out, /^workers +1 ready\nrequests +\S+ per second, /);
  assert.match((await run("requests")).out, /^no request is in flight$/m);
  const slow = ask(target, "/slow?a=1");
  const shown = await until("the request is shown", async () => {
    const { out } = await run("requests");
    return out.includes("/slow") ? out : undefined;
  });
  assert.match(shown, /^AGE +SLOT +PID +METHOD +TARGET +REMOTE +ID +IN +OUT$/m);
  assert.match(shown, /^\d\S* +1 +\d+ +GET +\/slow\?a=1 +127\.0\.0\.1 +\S+ +0B +0B$/m);
  const [asJson] = JSON.parse((await run("requests", "--json")).out);
  assert.equal(asJson.target, "/slow?a=1");
  await ask(target, "/release");
  await slow;

  const config = await run("config");
  assert.match(config.out, /^SETTING +VALUE +FROM$/m);
  assert.match(config.out, /^workers +1 +--workers$/m);
  assert.match(config.out, /^env +KEY=\*\*\* +--env$/m);
  assert.ok(!config.out.includes("s3cret"));

  const injected = await run("inject", "--slot", "1", "-H", "x-a: b", "-d", "content", "/x");
  assert.equal(injected.code, 0);
  assert.match(injected.out, /^\d+ 1 POST content$/);
  assert.match(injected.err, /^worker \d+ \(slot 1\): 200, \d.* ms, \d+B$/m);
  writeFileSync(join(folder, "body"), "from a file");
  const head = await run("inject", "-i", "--method", "PUT", "-d", `@${join(folder, "body")}`, "/x");
  assert.match(head.out, /^200\ncontent-type: text\/plain\n[\s\S]*\n\n\d+ 1 PUT from a file$/i);
  assert.deepEqual([(await run("inject", "x")).code, (await run("inject", "--slot", "7", "/")).code], [1, 1]);
  for (const words of [
    ["inject"],
    ["inject", "/", "-H", "x"],
    ["inject", "--slot", "one", "/"],
    ["events", "--fly"],
  ])
    assert.equal((await run(...words)).code, 2, words.join(" "));

  await ask(target, "/say?hello%20there");
  await until("the line of the worker is followed", () => /"line":"hello there"/.test(logs.out));
  const all = await run("logs");
  assert.match(all.out, /^\S+Z arbiter \[INFO\]: Starting tsgun/m);
  assert.match(all.out, /^\S+Z worker 1 \(\d+\): hello there$/m);
  const { source, slot } = logs.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LogReport)
    .find(({ line }) => line === "hello there") as LogReport;
  assert.deepEqual([source, slot], ["worker", 1]);

  assert.equal((await run("reload")).code, 0);
  await until("the reload is followed", () => /Ready: generation 2 serves with 1 worker/.test(events.out));
  const kinds = (JSON.parse((await run("events", "--json")).out) as EventReport[]).map(({ type }) => type);
  assert.deepEqual(
    kinds.filter((kind) => kind.startsWith("re")),
    ["reload", "reloaded"],
  );
  events.child.kill("SIGINT");
  assert.deepEqual([await events.ended, events.err], [0, ""]);

  assert.equal((await run("upgrade")).code, 0);
  await until(
    "the logs of the new arbiter are followed",
    () => logs.out.split('"Starting tsgun').length === 2 || logs.out.match(/Starting tsgun/g)?.length === 2,
  );
  await run("stop", "--quick");
  assert.equal(await logs.ended, 0);
  assert.match(logs.err, /has ended$/m);
});

test("a server of an earlier version that lacks a route is named with its version", async (context) => {
  const socket = join(temporaryFolder(context), "c.ctl");
  const old = createServer((request, response) => {
    const isStatus = request.url === "/status";
    const body = isStatus
      ? { name: "shop", version: "0.0.9", pid: 1, folder: "/srv/shop" }
      : { ok: false, error: `unknown path ${request.url?.split("?")[0]}` };
    response.writeHead(isStatus ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => old.listen(socket, resolve));
  cleanUp(context, () => old.close());
  for (const [path, ...words] of [
    ["/requests", "requests"],
    ["/events", "events", "-f"],
    ["/inject", "inject", "/"],
  ] as const) {
    const running = ctl(context, socket, ...words);
    assert.equal(await running.ended, 1);
    assert.match(
      running.err,
      new RegExp(`shop \\(pid 1, /srv/shop\\) runs tsgun 0\\.0\\.9, which has no ${path}: upgrade it`),
    );
  }
});
