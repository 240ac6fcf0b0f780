/** Workers that are examined while they are stuck, stopped, killed or replaced, and clients that go away. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StackReport } from "../../src/control/examination.ts";
import { until } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { Examined, lineOf, type Reply } from "../support/examined.ts";

interface Profile {
  readonly nodes: readonly unknown[];
}

/** Sends the request at once, so that the worker has its command before that of a later request. */
function beginProfile(server: Examined, pid: number): Promise<Reply> {
  const reply = server.reply("POST", `/workers/${pid}/profile`, { seconds: 120 });
  reply.catch(() => {});
  return reply;
}

test("native code: said at once, and its stack when it returns", async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "60"]).ready();
  const pid = server.worker();
  const stop = join(server.folder, "stop");
  const response = server.begin(`/native?with=${encodeURIComponent(stop)}`);
  const report = await until("it is in native code", async () => {
    const seen = await server.report<StackReport>(`/workers/${pid}/stack`);
    return seen.doing === "native" && seen;
  });
  assert.deepEqual([report.stack, report.inFlight], [[], null]);
  const refused = await server.reply("POST", `/workers/${pid}/profile`, { seconds: 1 });
  assert.equal(refused.status, 409);
  assert.match(refused.text, /is in native code .*, which must return first: ask again/);
  const told = server.ctl("stack", String(pid));
  setTimeout(() => writeFileSync(stop, ""), 1500);
  const { code, out, err } = await told;
  assert.equal(code, 0, err);
  assert.match(err, /is in native code \(.*\).*: its JavaScript stack is known when the call returns\n/);
  assert.match(err, /waiting 30s for it to return/);
  assert.ok(out.includes(`at callNative (`) && out.includes(lineOf("  execSync(")), out);
  assert.equal(await response, String(pid));
});

test("a worker that is stopped: told at once", async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "60"]).ready();
  const pid = server.worker();
  process.kill(pid, "SIGSTOP");
  for (const verb of ["stack", "profile", "heap"] as const) {
    const { code, err } = await server.ctl(verb, String(pid), ...(verb === "heap" ? ["--yes"] : []));
    assert.equal(code, 1);
    assert.match(
      err,
      /tsgun: worker \d+ is stopped \(SIGSTOP, or a debugger\): continue it with kill -CONT \d+\n$/,
    );
  }
  process.kill(pid, "SIGCONT");
  await until("it answers again", async () => (await server.ctl("stack", String(pid))).code === 0);
  assert.deepEqual(readdirSync(server.folder), ["c.ctl"]);
});

test("a worker that is killed meanwhile: said, and no file is left", async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "60"]).ready();
  const first = server.worker();
  const profiled = beginProfile(server, first);
  await server.report(`/workers/${first}/heap`);
  process.kill(first, "SIGKILL");
  const told = await profiled;
  assert.equal(told.status, 503);
  assert.match(told.text, /worker \d+ has ended meanwhile: the log says how/);
  const second = await until("another one serves", () =>
    server.command.workers().find((pid) => pid !== first),
  );
  await until("it serves", async () => (await server.get("/keep?with=300000")) === String(second));
  const heap = server.ctl("heap", String(second), "--yes");
  await until("its file is begun", () =>
    readdirSync(server.folder).some((name) => name.endsWith(".partial")),
  );
  process.kill(second, "SIGKILL");
  const { code, err } = await heap;
  assert.equal(code, 1, err);
  assert.match(err, /has ended meanwhile|the server has not sent all/);
  assert.deepEqual(readdirSync(server.folder), ["c.ctl"]);
});

test("a heap that takes longer than the timeout: nobody kills the worker", async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "1"]).ready();
  const pid = server.worker();
  await server.get("/keep?with=400000");
  const { code, err } = await server.ctl("heap", String(pid), "--yes", "-o", "large.heapsnapshot");
  assert.equal(code, 0, err);
  JSON.parse(readFileSync(join(server.folder, "large.heapsnapshot"), "utf8"));
  assert.equal(await server.get("/"), String(pid));
  assert.deepEqual(server.command.lines(/TIMEOUT|blocked/), []);
});

test("a client that goes away: the worker serves on, and can be examined again", {
  skip: missing("curl"),
}, async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "60"]).ready();
  const pid = server.worker();
  await server.get("/keep?with=100000");
  for (const [path, body] of [
    ["profile", '{"seconds": 60}'],
    ["heap", "{}"],
  ] as const) {
    const url = `http://tsgun/workers/${pid}/${path}`;
    const args = ["-svN", "--unix-socket", server.socket, "-d", body, "-o", "/dev/null", url];
    const curl = spawn("curl", args, { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    curl.stderr.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
    });
    await until("curl has sent it", () => said.includes("> POST"));
    await until("it is examined", async () => {
      const { status } = await server.reply("GET", `/workers/${pid}/heap`);
      return status === 200;
    });
    curl.kill("SIGKILL");
  }
  await until("it can be examined again", async () => {
    const { status } = await server.reply("POST", `/workers/${pid}/profile`, { seconds: 1 });
    return status === 200;
  });
  assert.equal(await server.get("/"), String(pid));
  assert.deepEqual(readdirSync(server.folder), ["c.ctl"]);
});

test("a worker that is replaced while it is profiled sends what it has", async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "60"]).ready();
  const pid = server.worker();
  const profiled = beginProfile(server, pid);
  await server.report(`/workers/${pid}/heap`);
  server.command.kill("SIGHUP");
  const { status, text } = await profiled;
  assert.equal(status, 200, text);
  assert.ok((JSON.parse(text) as Profile).nodes.length > 0);
  await server.command.ready(2);
});

test("without a timeout a worker is examined all the same", async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "0"]).ready();
  const pid = server.worker();
  const stop = join(server.folder, "stop");
  const response = server.begin(`/count?with=${encodeURIComponent(stop)}`);
  await until("it blocks", async () => {
    const { doing, stack } = await server.report<StackReport>(`/workers/${pid}/stack`);
    return doing === "javascript" && stack.some((frame) => frame.startsWith("at countForEver ("));
  });
  writeFileSync(stop, "");
  assert.equal(await response, String(pid));
});
