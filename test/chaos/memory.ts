/**
 * `npm run chaos:memory -- [--lives N] [--reloads N] [--upgrades N] [--commands N] [--node PATH] [--objects]`: an arbiter's
 * memory while workers come and go by the thousand. Its heap is measured after collections. `--objects` also counts what
 * each step leaves behind, by snapshots of the heap, which make the process itself larger.
 */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseArgs } from "node:util";
import { requestControl } from "../../src/control/control-client.ts";
import { until } from "../support/command.ts";
import { leftByEach, memoryText, ProbedArbiter } from "./probed-arbiter.ts";

const { values } = parseArgs({
  options: {
    lives: { type: "string", default: "10000" },
    reloads: { type: "string", default: "1000" },
    upgrades: { type: "string", default: "100" },
    commands: { type: "string", default: "100000" },
    node: { type: "string", default: process.execPath },
    objects: { type: "boolean", default: false },
  },
});
const ROWS = 10;
const COMMANDS_AT_A_TIME = 20;
const node = values.node;

/** Takes so many steps in ten parts, and prints the memory before each. */
async function measure(
  name: string,
  count: number,
  arbiter: ProbedArbiter,
  step: (count: number) => Promise<void>,
): Promise<void> {
  const part = Math.max(1, Math.round(count / ROWS));
  if (count === 0) return;
  await step(Math.min(part, 500));
  const before = values.objects ? await arbiter.objects() : undefined;
  for (let done = 0; done < count; done += part) {
    console.log(`${name} ${done}: ${memoryText(await arbiter.memory())}`);
    await step(part);
  }
  console.log(`${name} ${count}: ${memoryText(await arbiter.memory())}`);
  if (before === undefined) return;
  const left = leftByEach(count, before, await arbiter.objects());
  console.log(`${name}: left by each: ${left.length === 0 ? "nothing" : left.join("; ")}`);
}

test("memory of an arbiter over the lives of workers", async (context) => {
  const arbiter = new ProbedArbiter(context, { shortLives: true, workers: 2, node });
  await measure("lives", Number(values.lives), arbiter, (count) => arbiter.live(count));
});

test("memory of an arbiter over reloads, of which each reads a module and what it imports", async (context) => {
  const arbiter = new ProbedArbiter(context, { shortLives: false, workers: 1, node, hasModule: true });
  await arbiter.command.ready();
  await measure("reloads", Number(values.reloads), arbiter, async (count) => {
    for (let round = 0; round < count; round++) await arbiter.reload();
  });
});

test("memory of an arbiter over commands", async (context) => {
  const arbiter = new ProbedArbiter(context, { shortLives: false, workers: 1, node });
  await arbiter.command.ready();
  const paths = ["/status", "/workers", "/stats"];
  await measure("commands", Number(values.commands), arbiter, async (count) => {
    for (let done = 0; done < count; done += COMMANDS_AT_A_TIME)
      await Promise.all(
        Array.from({ length: COMMANDS_AT_A_TIME }, (_, at) =>
          requestControl(arbiter.controlSocket, "GET", paths[at % paths.length] as string),
        ),
      );
  });
});

test("each arbiter of a chain of upgrades is like the one before", async (context) => {
  const upgrades = Number(values.upgrades);
  if (upgrades === 0) return;
  const arbiter = new ProbedArbiter(context, { shortLives: false, workers: 1, node });
  await arbiter.command.ready();
  const part = Math.max(1, Math.round(upgrades / ROWS));
  for (let done = 0; done <= upgrades; done++) {
    if (done % part === 0) console.log(`upgrades ${done}: ${processText(await arbiter.pid())}`);
    if (done < upgrades) await upgrade(arbiter);
  }
});

async function upgrade(arbiter: ProbedArbiter): Promise<void> {
  const old = await arbiter.pid();
  process.kill(old, "SIGUSR2");
  await until("the new arbiter is alone", async () => {
    const now = await arbiter.pid().catch(() => old);
    return now !== old && !readdirSync("/proc").includes(String(old));
  });
}

/** From outside: nothing is preloaded into the later ones. */
function processText(pid: number): string {
  const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "latin1");
  const pss = Number(/^Pss:\s+(\d+)/m.exec(read("smaps_rollup"))?.[1]) / 1000;
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  const sizes = `environment ${read("environ").length} bytes, command line ${read("cmdline").length} bytes`;
  return `PSS ${pss.toFixed(2)} MB, ${descriptors} descriptors, ${sizes}`;
}
