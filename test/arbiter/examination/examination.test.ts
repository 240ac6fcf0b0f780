/** `tsgun ctl stack`, `profile`, `heap` and `trace` against the running command. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StackReport, TraceReport } from "../../../src/control/examination.ts";
import { until } from "../../support/command.ts";
import { Examined, lineOf } from "../../support/examined.ts";

interface Profile {
  readonly nodes: readonly { readonly callFrame: { readonly functionName: string } }[];
}

test("a worker is looked into", async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "60"]).ready();
  const pid = server.worker();
  const stop = join(server.folder, "stop");
  const stack = (): Promise<StackReport> => server.report(`/workers/${pid}/stack`);

  await context.test("an idle one: without our own frames, with what it waits for", async () => {
    const wait = `/wait?with=${encodeURIComponent(join(server.folder, "go"))}`;
    const response = server.begin(wait);
    const report = await until("the request has arrived", async () => {
      const seen = await stack();
      return seen.inFlight?.length === 1 && seen.doing === "idle" && seen;
    });
    assert.deepEqual([report.stack, report.blockedForMs], [[], 0]);
    assert.equal(report.inFlight?.[0]?.target, wait);
    // A young worker still loads modules now and then, and is not idle then.
    const told = await until("the command says that it is idle", async () => {
      const said = await server.ctl("stack", String(pid));
      assert.equal(said.code, 0, said.err);
      return said.out.includes("is idle") && said;
    });
    assert.match(
      told.out,
      /^worker \d+ \(slot 1\) is idle: its event loop waits for events\n {2}in flight: GET \/wait/,
    );
    writeFileSync(join(server.folder, "go"), "");
    assert.equal(await response, String(pid));
  });

  await context.test("a profile names the function, and no request is lost meanwhile", async () => {
    const file = join(server.folder, "burn.cpuprofile");
    const busy = async <T>(profiled: Promise<T>): Promise<T> => {
      let isDone = false;
      const done = profiled.finally(() => {
        isDone = true;
      });
      while (!isDone) assert.equal(await server.get("/burn?with=30"), String(pid));
      return await done;
    };
    const { code, out, err } = await busy(server.ctl("profile", String(pid), "--seconds", "1", "-o", file));
    assert.equal(code, 0, err);
    assert.match(out, /burn\.cpuprofile \(\d+ kB\)\nopen it with: npx speedscope .*burn\.cpuprofile\n$/);
    const isNamed = (text: string): boolean =>
      (JSON.parse(text) as Profile).nodes.some(({ callFrame }) => callFrame.functionName === "burnCycles");
    // V8's sampling thread may get no CPU time on a busy machine.
    if (!isNamed(readFileSync(file, "utf8")))
      await until("a profile names it", async () => {
        const { text } = await busy(server.reply("POST", `/workers/${pid}/profile`, { seconds: 1 }));
        return isNamed(text);
      });
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  await context.test("one that is blocked: the line of the source, at once", async () => {
    const response = server.begin(`/count?with=${encodeURIComponent(stop)}`);
    const report = await until("it blocks", async () => {
      const seen = await stack();
      // It may be seen on its way there.
      return (
        seen.doing === "javascript" && seen.stack.some((frame) => frame.includes("countForEver")) && seen
      );
    });
    assert.ok(
      report.stack.some(
        (frame) => frame.startsWith("at countForEver (") && frame.includes(lineOf("while (!exists")),
      ),
      report.stack.join("\n"),
    );
    assert.match(report.inFlight?.[0]?.target ?? "", /^\/count/);
    assert.deepEqual(Object.keys(report.inFlight?.[0] ?? {}).sort(), ["age", "id", "method", "target"]);

    const two = ["profile", "profile"].map(() =>
      server.reply("POST", `/workers/${pid}/profile`, { seconds: 1 }),
    );
    const [first, second] = (await Promise.all(two)).sort((a, b) => a.status - b.status);
    assert.equal(first?.status, 200);
    assert.equal(second?.status, 409);
    assert.match(second?.text ?? "", /worker \d+ is being profiled already: ask again when that is done/);
    writeFileSync(stop, "");
    assert.equal(await response, String(pid));
  });

  await context.test("the heap: its cost first, then a file that DevTools reads", async () => {
    const asked = await server.ctl("heap", String(pid));
    assert.equal(asked.code, 2, asked.out);
    assert.match(
      asked.err,
      /^tsgun: worker \d+ has a heap of [\d.]+ MB: it stands still for about [\d.]+ m?s, takes up to .* more memory, and the file has about .*; confirm it with --yes\n$/,
    );
    const file = join(server.folder, "orders.heapsnapshot");
    const taken = await server.ctl("heap", String(pid), "--yes", "-o", file, "--json");
    assert.equal(taken.code, 0, taken.err);
    const bytes = readFileSync(file);
    assert.deepEqual(JSON.parse(taken.out), { ok: true, file, bytes: bytes.length });
    const { snapshot } = JSON.parse(bytes.toString()) as { snapshot: { meta: object; node_count: number } };
    assert.ok(snapshot.node_count > 1000);
    assert.ok("node_fields" in snapshot.meta);
    assert.equal(statSync(file).mode & 0o777, 0o600);

    const again = await server.ctl("heap", String(pid), "--yes", "-o", file);
    assert.equal(again.code, 1);
    assert.equal(again.err.split("\n").at(-2), `tsgun: ${file} exists: name another file with -o`);
    assert.deepEqual(readFileSync(file).equals(bytes), true);
  });

  await context.test("the slowest requests, the slowest first", async () => {
    await server.get("/burn?with=30&a=%1b[31m");
    const { requests, skipped } = await server.report<TraceReport>("/trace?minutes=1");
    assert.deepEqual(skipped, []);
    const [slowest] = requests;
    assert.match(slowest?.target ?? "", /^\/(?:count|wait)/);
    assert.deepEqual([slowest?.method, slowest?.status, slowest?.pid], ["GET", 200, pid]);
    assert.match(slowest?.id ?? "", /\w/);
    assert.ok((slowest?.duration ?? 0) > 100);
    assert.ok(Math.abs(Date.now() - (slowest?.at ?? 0)) < 60_000);
    assert.deepEqual(
      requests.map(({ duration }) => duration),
      requests.map(({ duration }) => duration).sort((a, b) => b - a),
    );
    const { out } = await server.ctl("trace");
    assert.match(
      out,
      /^UTC +DURATION +STATUS +WORKER +ID +REQUEST\n\d\d:\d\d:\d\d +[\d.]+ s +200 +\d+ +\S+ +GET \//,
    );
    assert.ok(!out.includes("\u001b"));
  });

  for (const [method, path, body, status, says] of [
    ["GET", "/workers/1/stack", undefined, 404, /no worker has the pid 1: tsgun ctl workers lists them/],
    ["GET", "/workers/x/stack", undefined, 400, /x is not a process id/],
    ["GET", `/workers/${pid}/stack?wait=soon`, undefined, 400, /wait is a whole number from 0 to 300/],
    ["POST", `/workers/${pid}/stack`, {}, 405, /accepts GET, not POST/],
    [
      "POST",
      `/workers/${pid}/profile`,
      { seconds: 0 },
      400,
      /send \{\\"seconds\\": N\}, N is a whole number from 1 to 300/,
    ],
    ["POST", `/workers/${pid}/profile`, { seconds: "10" }, 400, /a whole number from 1 to 300/],
    ["POST", "/workers/1/heap", {}, 404, /no worker has the pid 1/],
    ["GET", "/trace?minutes=60", undefined, 400, /minutes is a whole number from 1 to 5/],
  ] as const) {
    await context.test(
      `${method} ${path.replace(String(pid), "PID")} ${JSON.stringify(body) ?? ""}: ${status}`,
      async () => {
        const reply = await server.reply(method, path, body);
        assert.equal(reply.status, status, reply.text);
        assert.match(reply.text, says);
      },
    );
  }

  assert.deepEqual(
    readdirSync(server.folder).sort(),
    ["burn.cpuprofile", "c.ctl", "go", "orders.heapsnapshot", "stop"],
    "nothing else is left in the folder",
  );
});
