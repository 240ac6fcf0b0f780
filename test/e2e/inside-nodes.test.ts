/** An operator's questions to a running server, through the built command under each version of Node, with and without koffi. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats.ts";
import { FIXTURES, RunningCommand, until } from "../support/command.ts";
import { Examined } from "../support/examined.ts";
import { readMetrics, sumOf } from "../support/metrics-text.ts";
import { otherNodes } from "../support/other-nodes.ts";

const APP = join(FIXTURES, "fallback", "app.mjs");
const WITHOUT_KOFFI = { NODE_OPTIONS: `--require ${join(FIXTURES, "native", "no-koffi.cjs")}` };
const MAPPED_PAGE = /\/tsgun-\d+-[0-9a-f]{16} \(deleted\)/;
const REQUESTS = "http_server_request_duration_seconds_count";

for (const node of [process.execPath, ...otherNodes]) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  for (const { name, env } of [
    { name: "with koffi", env: {} },
    { name: "without koffi", env: WITHOUT_KOFFI },
  ]) {
    test(`${version} ${name}: stats, metrics, requests, stack, profile, top, and why a worker was killed`, async (context) => {
      const words = ["-w", "2", "-n", "inside", "--log-level", "debug"];
      const server = await new Examined(
        context,
        [...words, "--record-dir", "records"],
        { node, env },
        APP,
      ).ready();
      const run = async (...args: string[]): Promise<string> => {
        const command = new RunningCommand(args, { node, cwd: server.folder, env: { COLUMNS: "150" } });
        const { code } = await command.ended();
        assert.equal(code, 0, command.stderr);
        return command.stdout;
      };
      const ctl = (...args: string[]): Promise<string> =>
        run("ctl", ...args, "--control-socket", server.socket);
      const workers = server.command.workers();
      // Debug lines of the workers say whether they map their pages: all do, or none.
      if (name === "without koffi") await server.command.line(/The scoreboard is written, not mapped/, 2);
      else
        await until("all pages are mapped", () =>
          workers.every((pid) => MAPPED_PAGE.test(readFileSync(`/proc/${pid}/maps`, "utf8"))),
        );

      for (let number = 0; number < 20; number++) await server.get("/");
      await server.get("/fail");
      const stuck = Number(await server.get("/"));
      const waiting = server.begin("/never?order=7");
      await until("the request is seen", async () => (await ctl("requests")).includes("/never?order=7"));
      const holder = await until("a page has the request", async () => {
        const { workers, totals } = await server.report<StatsReport>("/stats");
        // An answered request is counted a moment later, and in flight until then.
        return totals.requests === 22 && workers.find(({ inFlight }) => inFlight === 1)?.pid;
      });

      const stats = await server.report<StatsReport>("/stats");
      assert.deepEqual(
        [stats.totals.requests, stats.totals.byClass["2xx"], stats.totals.byClass["5xx"], stats.inFlight],
        [22, 21, 1, 1],
      );
      const { samples } = readMetrics((await server.reply("GET", "/metrics")).text);
      assert.equal(sumOf(samples, REQUESTS), 22);
      assert.equal(sumOf(samples, "http_server_active_requests"), 1);
      assert.match(
        await run("top", "--once", "--control-socket", server.socket),
        /^1 in flight {2}\d connections? {2}22 requests/m,
      );

      const other = workers.find((pid) => pid !== holder) as number;
      assert.ok([holder, other].includes(stuck));
      // Now and then it is caught in its beat.
      const idle = new RegExp(`worker ${holder} .* is idle[^]*GET /never\\?order=7`);
      await until("its worker is seen idle", async () => idle.test(await ctl("stack", String(holder))));
      await ctl("profile", String(other), "--seconds", "1");
      const profile = readdirSync(server.folder).find((file) => file.endsWith(".cpuprofile"));
      assert.ok(JSON.parse(readFileSync(join(server.folder, profile ?? ""), "utf8")).nodes.length > 0);
      await ctl("heap", String(other), "--yes");
      assert.ok(readdirSync(server.folder).some((file) => file.endsWith(".heapsnapshot")));

      process.kill(holder, "SIGKILL");
      await assert.rejects(waiting);
      await server.command.line(/was killed by SIGKILL/);
      const story = await until("it is recorded", async () =>
        existsSync(join(server.folder, "records"))
          ? await run("why", String(holder), "--record-dir", "records")
          : false,
      );
      assert.match(story, /was killed by SIGKILL, which tsgun did not send/);
      assert.match(story, /requests in flight\n.*GET \/never\?order=7/);
      await until("its request is counted as lost", async () => {
        const { samples } = readMetrics((await server.reply("GET", "/metrics")).text);
        return sumOf(samples, REQUESTS) === 23 && sumOf(samples, REQUESTS, /worker_killed/) === 1;
      });
    });
  }
}
