/** The bytes that V8 allocates for a request, against the budgets. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { otherNodes } from "../support/other-nodes.ts";
import { ROWS } from "./budgets.ts";
import { allocated, send, startRow } from "./requests.ts";

/** Until V8 has compiled what is hot. */
const WARM_UP = 6000;
const REQUESTS = 1000;
const WINDOWS = 7;

for (const node of [process.execPath, ...otherNodes]) {
  const major = Number(/^v(\d+)/.exec(execFileSync(node, ["--version"], { encoding: "utf8" }))?.[1]);
  for (const row of ROWS) {
    const budget = row.bytes[major < 24 ? 0 : 1];
    test(`${row.name}: at most ${budget} bytes, ${node}`, async (context) => {
      const { port } = await startRow(context, row, { node });
      await send(port, row, WARM_UP);
      const figures: number[] = [];
      await allocated(port);
      for (let window = 0; window < WINDOWS; window += 1) {
        await send(port, row, REQUESTS);
        figures.push((await allocated(port)) / REQUESTS);
      }
      // Compiling again, a sweep that ends, and a tick of the server fall into one window or another.
      const bytes = Math.round(figures.sort((a, b) => a - b)[Math.floor(WINDOWS / 2)] as number);
      context.diagnostic(`${row.name}: ${bytes} bytes a request`);
      assert.ok(bytes > 0 && bytes <= budget, `${bytes} bytes, of ${budget}`);
    });
  }
}
