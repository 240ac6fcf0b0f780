/**
 * The bytes that requests leave in the old generation of V8's heap, where only a full collection frees them. Until then a
 * worker under load grows, and its young generation with it.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { otherNodes } from "../support/other-nodes.ts";
import type { SentRow } from "./budgets.ts";
import { ask, send, startRow } from "./requests.ts";

const WARM_UP = 3000;
const REQUESTS = 1000;
const WINDOWS = 5;
/** A request that is kept costs 2600 bytes and more; code and feedback that V8 makes meanwhile, about 20 a request. */
const BUDGET = 300;
/** The same for a logged request on Node 20, which keeps 1100 bytes of it. */
const BUDGET_LOGGED_20 = 1600;

const APP = "promoted.mjs:listener";

const ROWS: readonly SentRow[] = [
  { name: "listener GET", app: APP, path: "/" },
  { name: "listener GET, logged", app: APP, path: "/", logs: true },
  { name: "listener POST", app: APP, method: "POST", path: "/" },
  { name: "listener POST, chunked", app: APP, method: "POST", path: "/", chunked: true },
  { name: "listener POST, logged", app: APP, method: "POST", path: "/", logs: true },
];

for (const node of [process.execPath, ...otherNodes]) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" });
  for (const row of ROWS) {
    const budget = row.logs && version.startsWith("v20.") ? BUDGET_LOGGED_20 : BUDGET;
    test(`${row.name}: requests do not outlive the young generation, ${node}`, async (context) => {
      const { port } = await startRow(context, row, { node });
      await send(port, row, WARM_UP);
      const figures: number[] = [];
      let before = await ask(port, "/old");
      for (let window = 0; window < WINDOWS; window += 1) {
        await send(port, row, REQUESTS);
        const after = await ask(port, "/old");
        figures.push((after - before) / REQUESTS);
        before = after;
      }
      // A full collection falls into one window or another, and makes it smaller.
      const bytes = Math.round(figures.sort((a, b) => a - b)[Math.floor(WINDOWS / 2)] as number);
      context.diagnostic(`${row.name}: ${bytes} bytes a request`);
      assert.ok(bytes <= budget, `${bytes} bytes, of ${budget}`);
    });
  }
}
