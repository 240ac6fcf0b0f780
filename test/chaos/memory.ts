/**
 * `npm run chaos:memory -- [--lives N] [--reloads N] [--commands N] [--node PATH]`: what an arbiter's memory is while
 * workers come and go by the thousand. Its heap is measured after collections; its proportional size (PSS) is what it is.
 */
import { test } from "node:test";
import { parseArgs } from "node:util";
import { requestControl } from "../../src/control/control-client.ts";
import { type ArbiterMemory, leftByEach, ProbedArbiter } from "./probed-arbiter.ts";

const { values } = parseArgs({
  options: {
    lives: { type: "string", default: "10000" },
    reloads: { type: "string", default: "1000" },
    commands: { type: "string", default: "100000" },
    node: { type: "string", default: process.execPath },
  },
});
const ROWS = 10;
const COMMANDS_AT_A_TIME = 20;

/** Takes so many steps in ten parts, and prints the memory after each. */
async function measure(
  name: string,
  count: number,
  arbiter: ProbedArbiter,
  step: (count: number) => Promise<void>,
): Promise<void> {
  const part = Math.max(1, Math.round(count / ROWS));
  if (count === 0) return;
  await step(Math.min(part, 500));
  const before = await arbiter.objects();
  for (let done = 0; done < count; done += part) {
    console.log(`${name} ${done}: ${memoryText(await arbiter.memory())}`);
    await step(part);
  }
  console.log(`${name} ${count}: ${memoryText(await arbiter.memory())}`);
  const left = leftByEach(count, before, await arbiter.objects());
  console.log(`${name}: left by each: ${left.length === 0 ? "nothing" : left.join("; ")}`);
}

function memoryText({ heapUsed, external, young, pss, descriptors }: ArbiterMemory): string {
  const [heap, outside, space, all] = [heapUsed, external, young, pss].map((bytes) =>
    (bytes / 1e6).toFixed(2),
  );
  return `heap ${heap} MB, external ${outside} MB, young generation ${space} MB, PSS ${all} MB, ${descriptors} descriptors`;
}

test("memory of an arbiter", async (context) => {
  const node = values.node;
  const busy = new ProbedArbiter(context, { shortLives: true, workers: 2, node });
  await measure("lives", Number(values.lives), busy, (count) => busy.live(count));
  await busy.command.end();
  const calm = new ProbedArbiter(context, { shortLives: false, workers: 1, node });
  await calm.command.ready();
  await measure("reloads", Number(values.reloads), calm, async (count) => {
    for (let round = 0; round < count; round++) await requestControl(calm.controlSocket, "POST", "/reload");
  });
  const paths = ["/status", "/workers", "/stats"];
  await measure("commands", Number(values.commands), calm, async (count) => {
    for (let done = 0; done < count; done += COMMANDS_AT_A_TIME)
      await Promise.all(
        Array.from({ length: COMMANDS_AT_A_TIME }, (_, at) =>
          requestControl(calm.controlSocket, "GET", paths[at % paths.length] as string),
        ),
      );
  });
});
