/** A minute of chaos. A longer one: `npm run chaos -- --minutes 15`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plan } from "./plan.ts";
import { runChaos } from "./run.ts";

/** The same each time, so that a failure is one of the change that it comes with. Other seeds are for runs by hand. */
const SEED = Number(process.env.CHAOS_SEED ?? 55);

test("a minute of chaos loses nothing but what was in killed processes", async (context) => {
  const acts = plan(SEED, 1);
  context.diagnostic(`again: npm run chaos -- --minutes 1 --seed ${SEED}`);
  const lines: string[] = [];
  const report = await runChaos(context, acts, {
    node: process.execPath,
    tell: (line) => lines.push(line),
  });
  context.diagnostic(
    `${report.sent} requests, ${report.answered} answers, ${report.deaths} deaths, lost ${report.lost}: ${JSON.stringify(report.lostBy)}`,
  );
  // The kinds first: one fault may lose hundreds of requests.
  const kinds = new Map(report.breaches.map((text) => [text.slice(0, 60).replace(/\d+/g, "N"), text]));
  const told = [...kinds.values(), "", ...lines.filter((line) => !line.startsWith("BREACH"))].join("\n");
  assert.equal(report.breaches.length, 0, `${report.breaches.length} breaches, one of each kind:\n${told}`);
  assert.ok(report.answered > 500, `only ${report.answered} answers`);
});
