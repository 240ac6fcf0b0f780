/** With metrics, records and the timeout off, alone and together, every command gives data or says what is off; no zero looks like a count. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FIXTURES, RunningCommand, startCommand, until } from "../support/command.ts";
import { Examined } from "../support/examined.ts";

const APP = join(FIXTURES, "fallback", "app.mjs");
const OFF = { metrics: "--no-metrics", records: "--no-record-dir", timeout: "--timeout=0" } as const;

describe("What is off", { concurrency: 2 }, () => {
  for (const words of [[OFF.metrics], [OFF.records], [OFF.timeout], Object.values(OFF)]) {
    test(words.join(" "), async (context) => {
      const has = (option: string): boolean => words.some((word) => word === option);
      const isCounting = !has(OFF.metrics);
      const args = ["-w", "1", "-n", `off-${words.length}`, ...words];
      const server = await new Examined(context, args, {}, APP).ready();
      const pid = server.worker();
      for (let number = 0; number < 3; number++) await server.get("/");
      server.begin("/never?order=1");
      await until("the request is in flight", async () =>
        (await server.ctl("requests")).out.includes("/never"),
      );

      const stats = (await server.ctl("stats")).out;
      if (isCounting) {
        assert.match(stats, /^total +3 requests: 3 2xx$/m);
        assert.match(stats, /^in flight +1$/m);
      } else {
        assert.match(stats, /^requests +not counted: the server runs with --no-metrics/m);
        assert.doesNotMatch(stats, /in flight|total|rejected|0%/);
      }
      const text = (await server.reply("GET", "/metrics")).text;
      const counted = /^(http_server_|tsgun_requests_|tsgun_connections|tsgun_log_)/m;
      if (isCounting) assert.match(text, counted);
      else assert.doesNotMatch(text, counted);
      assert.match(text, /^tsgun_worker_starts_total 1$/m);
      // The count of requests comes with a heartbeat, too.
      await until("the worker's row has its requests", async () => {
        const [heading = "", row = ""] = (await server.ctl("workers")).out.split("\n");
        const cell = row.slice(heading.indexOf("IN FLIGHT")).split(" ")[0];
        return cell === (isCounting ? "1" : "-") && row.slice(heading.indexOf("REQUESTS")).startsWith("3");
      });
      const top = await run(["top", "--once", "--control-socket", server.socket]);
      if (isCounting) assert.match(top, /^1 in flight {2}1 connection/m);
      else assert.doesNotMatch(top, /in flight|since the start/);
      // Now and then it is caught in its beat.
      await until("it is seen idle", async () =>
        /is idle/.test((await server.ctl("stack", String(pid))).out),
      );
      const trace = await server.ctl("trace");
      assert.match(
        trace.out + trace.err,
        isCounting ? /GET \/|no request/ : /keeps no requests, because of --no-metrics/,
      );

      process.kill(pid, "SIGKILL");
      await server.command.line(/was killed by SIGKILL/);
      await until("it is counted", async () => {
        return /^tsgun_worker_exits_total\{reason="killed"\} 1$/m.test(
          (await server.reply("GET", "/metrics")).text,
        );
      });
      const deaths = await server.reply("GET", `/deaths/${pid}`);
      if (has(OFF.records)) {
        assert.equal(deaths.status, 404);
        assert.match(deaths.text, /the server runs with --no-record-dir/);
        assert.equal((await server.reply("GET", "/deaths")).status, 404);
        const told = startCommand(context, ["why", String(pid)]);
        assert.equal((await told.ended()).code, 1);
        assert.match(
          told.stderr,
          new RegExp(`no records are kept, because of --no-record-dir, by .*off-${words.length} `),
        );
        return;
      }
      const { story } = JSON.parse(deaths.text) as { story: string };
      assert.match(story, /was killed by SIGKILL, which tsgun did not send/);
      if (isCounting) assert.match(story, /GET \/never\?order=1/);
      const samples = story.split("the last minute\n")[1]?.split("\n") ?? [];
      for (const line of samples.slice(1))
        if (line.trim() !== "") assert.match(line, isCounting ? /\d+ +\d$/ : /- +-$/);
    });
  }
});

async function run(args: readonly string[]): Promise<string> {
  const command = new RunningCommand(args, { env: { COLUMNS: "150" } });
  await command.ended();
  return command.stdout + command.stderr;
}
