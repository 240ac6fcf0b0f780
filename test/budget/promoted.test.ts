/**
 * The bytes that requests leave in the old generation of V8's heap, where only a full collection frees them. Until then a
 * worker under load grows, and its young generation with it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { otherNodes } from "../support/other-nodes.ts";
import type { SentRow } from "./budgets.ts";
import { ask, send, startRow } from "./requests.ts";

const WARM_UP = 3000;
const REQUESTS = 1000;
const WINDOWS = 5;
/** A request that is kept costs 2600 bytes and more; code and feedback that V8 makes meanwhile, about 20 a request. */
const BUDGET = 300;

const APP = "promoted.mjs:listener";

const ROWS: readonly SentRow[] = [
  { name: "listener GET", app: APP, path: "/" },
  { name: "listener POST", app: APP, method: "POST", path: "/" },
];

for (const node of [process.execPath, ...otherNodes]) {
  for (const row of ROWS) {
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
      assert.ok(bytes <= BUDGET, `${bytes} bytes, of ${BUDGET}`);
    });
  }
}
