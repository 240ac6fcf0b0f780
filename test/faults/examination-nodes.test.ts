/** A stack, a profile and a heap of a worker under each version of Node. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StackReport } from "../../src/control/examination.ts";
import { until } from "../support/command.ts";
import { Examined, lineOf } from "../support/examined.ts";
import { testUnderOtherNodes } from "../support/other-nodes.ts";

test("a worker is examined while it blocks", async (context) => {
  const server = await new Examined(context, ["-w", "1", "--timeout", "60"]).ready();
  const pid = server.worker();
  const stop = join(server.folder, "stop");
  const response = server.begin(`/count?with=${encodeURIComponent(stop)}`);
  await until("its stack is seen", async () => {
    const { stack } = await server.report<StackReport>(`/workers/${pid}/stack`);
    return stack.some((frame) => frame.includes(lineOf("while (!exists")));
  });
  const profile = await server.reply("POST", `/workers/${pid}/profile`, { seconds: 1 });
  assert.equal(profile.status, 200, profile.text);
  writeFileSync(stop, "");
  assert.equal(await response, String(pid));
  const heap = await server.reply("POST", `/workers/${pid}/heap`, {});
  assert.equal(heap.status, 200, heap.text.slice(0, 200));
  assert.ok("meta" in (JSON.parse(heap.text) as { snapshot: object }).snapshot);
});

testUnderOtherNodes(import.meta.url);
