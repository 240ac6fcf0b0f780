import assert from "node:assert/strict";
import { test } from "node:test";
import { reliefReporter } from "../../src/worker/relief-report.ts";

test("the log says once a minute how many connections of which kind were closed since the last line", () => {
  const lines: string[] = [];
  let now = 0;
  const report = reliefReporter({ warning: (line) => lines.push(line) }, () => now);
  report(new Map([["first byte", 1]]));
  report(new Map([["head", 2]]));
  now = 61_000;
  report(
    new Map([
      ["head", 3],
      ["reader", 1],
    ]),
  );
  assert.equal(lines.length, 2);
  assert.match(
    lines[0] ?? "",
    /^This worker runs out of places and has closed 1 connection: 1 without a byte; /,
  );
  assert.match(lines[1] ?? "", /closed 6 connections: 5 with a slow request head, 1 reading too slowly; /);
  assert.match(lines[1] ?? "", /raise --worker-connections or the limit of open files$/);
});
