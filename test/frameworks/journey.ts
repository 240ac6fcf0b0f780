/** The test of every HTTP framework: its app answers, and nothing is lost while it is deployed anew. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { until } from "../support/command.ts";
import { type Exchange, Load, type Target } from "../support/load.ts";
import type { Framework } from "./catalogue.ts";
import { replaceUntilEnd } from "./project.ts";
import type { AppRequests } from "./requests.ts";
import { ask, complaints, exchangeOf, openStage, type Stage } from "./stage.ts";

/** A stream of five pieces, 100 ms apart, that is passed on at once takes at least so long, in milliseconds. */
const STREAM_MS = 200;

/** Requests a second of each load; there are two. */
const LOAD_RATE = 150;
/** How many answers the load must see before, and after, each reload. */
const LOAD_ANSWERS = 50;

export async function httpJourney(
  test: TestContext,
  framework: Framework,
  requests: AppRequests,
): Promise<void> {
  const stage = await openStage(test, framework);
  if (stage === undefined) return;
  await test.test("page", async () => {
    const { found } = await ask(stage, requests.page);
    assert.ok(stage.command.workers().includes(Number(found)), `${found} is no worker`);
  });
  await test.test("POST", async () => {
    await ask(stage, requests.echo("hello"));
  });
  await test.test("upload of 2 MiB", async () => {
    await ask(stage, requests.upload());
  });
  const { stream } = requests;
  await test.test("stream", { skip: stream === undefined && "it has none" }, async () => {
    assert.ok(stream !== undefined);
    const { arrivals } = await ask(stage, stream);
    assert.ok((arrivals.at(-1) ?? 0) > STREAM_MS && arrivals.length >= 3, `pieces came after ${arrivals} ms`);
  });
  await test.test("HUP under load", async () => {
    await reloadUnderLoad(stage, requests);
  });
  await test.test("broken deploy", async (step) => {
    await brokenDeploy(step, stage);
    await ask(stage, requests.page);
  });
  await test.test("TERM", async () => {
    await stop(stage);
  });
}

/** Mostly pages and POSTs, with a few uploads and streams, which last longer than the turn of a worker to stop. */
function mixOf({ page, echo, upload, stream }: AppRequests): (number: number) => Exchange {
  const pageExchange = exchangeOf(page);
  const uploadExchange = exchangeOf(upload());
  const streamExchange = stream && exchangeOf(stream);
  return (number) => {
    if (number % 20 === 0) return uploadExchange;
    if (number % 20 === 10 && streamExchange !== undefined) return streamExchange;
    return number % 2 === 0 ? pageExchange : exchangeOf(echo(`request ${number}`));
  };
}

async function reloadUnderLoad(stage: Stage, requests: AppRequests): Promise<void> {
  const { command, framework, nginx, socket } = stage;
  const make = mixOf(requests);
  // nginx keeps connections, and so does a client without it.
  const targets: Target[] = [{ port: nginx.port }, ...(framework.tls ? [] : [{ path: socket }])];
  const loads = targets.map(
    (target) => new Load(target, { mode: "keep-alive", make, clients: 4, rate: LOAD_RATE }),
  );
  const before = command.workers();
  await Promise.all(loads.map((load) => load.more(LOAD_ANSWERS)));
  for (const generation of [2, 3]) {
    command.kill("SIGHUP");
    await command.ready(generation);
    await Promise.all(loads.map((load) => load.more(LOAD_ANSWERS)));
  }
  await Promise.all(loads.map((load) => load.stop()));
  for (const load of loads) load.assertNothingLost(3 * LOAD_ANSWERS);
  assert.deepEqual(complaints(stage), []);
  await until("the first workers are gone", () => !command.workers().some((pid) => before.includes(pid)));
}

/** A server file that does not load must leave the serving generation, and a good one then replaces it. */
export async function brokenDeploy(test: TestContext, stage: Stage): Promise<void> {
  const { command, framework, project } = stage;
  const text = readFileSync(join(project.folder, framework.server), "utf8");
  const restore = replaceUntilEnd(
    test,
    project,
    framework.server,
    `throw new Error("broken deploy");\n${text}`,
  );
  const serving = await until(
    "two workers are left",
    () => command.workers().length === 2 && command.workers(),
  );
  command.kill("SIGHUP");
  await command.line(/Reload failed, generation \d+ stays: .*broken deploy/);
  await until("the new worker is gone", () => command.workers().length === 2);
  assert.deepEqual(command.workers(), serving);
  restore();
  const readyLines = command.lines(/Ready: generation/).length;
  command.kill("SIGHUP");
  await command.line(/Ready: generation/, readyLines + 1);
  await until("the old workers are gone", () => !command.workers().some((pid) => serving.includes(pid)));
}

/** Stops the command, and checks that the apps of all workers ended in order. */
export async function stop({ command, framework }: Stage): Promise<void> {
  const before = command.stdout.length;
  assert.deepEqual(await command.end(), { code: 0, signal: null });
  if (framework.hook !== undefined) {
    const ran = command.stdout
      .slice(before)
      .split("\n")
      .filter((line) => framework.hook?.test(line));
    assert.equal(ran.length, 2, `each worker's app says once that it shuts down, not: ${command.stdout}`);
  }
  const expected = /Reload failed, generation \d+ stays/;
  const complaintsOfCommand = command.lines(/WARNING|ERROR|CRITICAL/).filter((line) => !expected.test(line));
  assert.deepEqual(complaintsOfCommand, []);
}
