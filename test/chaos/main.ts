/**
 * `npm run chaos -- [--minutes N] [--seed N] [--node PATH] [--keep FOLDER] [--plan]`: a chaos run by hand. The seed that it prints gives
 * the same plan again; `--keep` copies the log, the journal and the records there at the end; `--plan` prints the plan alone.
 */
import { test } from "node:test";
import { parseArgs } from "node:util";
import { plan, planText } from "./plan.ts";
import { runChaos } from "./run.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000)) },
    node: { type: "string", default: process.execPath },
    plan: { type: "boolean", default: false },
    keep: { type: "string" },
  },
});
const [seed, minutes] = [Number(values.seed), Number(values.minutes)];
if (!Number.isInteger(seed) || !(minutes > 0)) {
  console.error("usage: npm run chaos -- [--minutes N] [--seed N] [--node PATH] [--keep FOLDER] [--plan]");
  process.exit(2);
}
const acts = plan(seed, minutes);
if (values.plan) console.log(planText(acts));
else {
  console.log(
    `seed ${seed}, ${acts.length} acts; again: npm run chaos -- --minutes ${minutes} --seed ${seed}`,
  );
  test(`chaos with seed ${seed}`, async (context) => {
    const report = await runChaos(context, acts, {
      node: values.node,
      tell: (line) => console.log(line),
      ...(values.keep !== undefined && { keep: values.keep }),
    });
    const faults = [...report.faults].map(([name, count]) => `${name} ${count}`).join(", ");
    console.log(
      `\n${report.sent} requests sent, ${report.answered} right answers, ${report.commands} commands, ` +
        `${report.scrapes} readings of the counters, ${report.deaths} workers ended\nfaults: ${faults}`,
    );
    console.log(`lost ${report.lost}: ${JSON.stringify(report.lostBy)}\nbreaches: ${report.breaches.length}`);
    for (const breach of report.breaches) console.log(`- ${breach}`);
    if (report.breaches.length > 0) throw new Error(`${report.breaches.length} breaches`);
  });
}
