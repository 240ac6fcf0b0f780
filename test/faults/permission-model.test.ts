/** Under Node's permission model the server runs with what it is allowed, and says in one line what is missing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats.ts";
import { FIXTURES, until } from "../support/command.ts";
import { Examined, type Reply } from "../support/examined.ts";
import { otherNodes } from "../support/other-nodes.ts";

/** Permissions that any server needs: its files, its workers, and from Node 25 on the network. */
const NEEDED = ["--allow-fs-read=*", "--allow-fs-write=*", "--allow-child-process"];

/** JavaScript, since the TypeScript compiler is an addon. */
const APP = join(FIXTURES, "fallback", "app.mjs");

for (const node of [process.execPath, ...otherNodes]) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  const known = execFileSync(node, ["-p", "[...process.allowedNodeEnvironmentFlags].join(' ')"], {
    encoding: "utf8",
  }).split(/\s/);
  const model = known.includes("--permission") ? "--permission" : "--experimental-permission";
  const network = known.includes("--allow-net") ? ["--allow-net"] : [];
  const inspector = known.includes("--allow-inspector") ? ["--allow-inspector"] : [];

  const cases = [
    { allowed: [], missing: "--allow-worker and --allow-inspector" },
    { allowed: ["--allow-worker"], missing: "--allow-inspector" },
    ...(inspector.length > 0 ? [{ allowed: ["--allow-worker", ...inspector], missing: "" }] : []),
  ];
  for (const { allowed, missing } of cases) {
    const name = `${version} ${[model, ...allowed].join(" ")}`;
    test(`${name}: it serves, counts, and ${missing === "" ? "shows stacks" : "says what is missing"}`, async (context) => {
      const options = [model, ...NEEDED, ...network, ...allowed].join(" ");
      const env = { NODE_OPTIONS: options };
      const server = await new Examined(context, ["-w", "1"], { node, env }, APP).ready();
      const pid = server.worker();
      for (let number = 0; number < 5; number++) assert.equal(await server.get("/"), String(pid));
      await until("all requests are counted", async () => {
        return (await server.report<StatsReport>("/stats")).totals.requests === 5;
      });
      const line = /Node's permission model allows no stacks of blocked workers.*: add (.*)$/;
      assert.deepEqual(
        server.command.lines(line).map((each) => line.exec(each)?.[1]),
        missing === "" ? [] : [missing],
      );
      const stack = (): Promise<Reply> => server.reply("GET", `/workers/${pid}/stack`);
      if (missing === "") {
        const blocked = server.begin("/block?ms=3000");
        await until("the stack shows what blocks", async () => /at block \(/.test((await stack()).text));
        await blocked;
      } else {
        const { status, text } = await stack();
        assert.equal(status, 503);
        assert.ok(text.includes(`denies it; start the server with ${missing}"`), text);
      }
      assert.deepEqual(server.command.workers(), [pid], "the worker lives");
    });
  }
}
