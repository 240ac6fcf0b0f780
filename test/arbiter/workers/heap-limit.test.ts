/** `--max-old-space`: V8's heap limit of a worker, by itself and through the built command. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { describeHeapLimit, heapFlags, heapLimit } from "../../../src/arbiter/workers/heap-limit.ts";
import { ask } from "../../support/ask.ts";
import { FIXTURES, startCommand } from "../../support/command.ts";

const MB = 1024 ** 2;
const AUTO = { maxOldSpace: "auto", reloadSurge: 1 } as const;

test("auto shares the memory among the workers, those of a reload included", () => {
  assert.equal(
    heapLimit(AUTO, 4, () => 2048 * MB),
    297,
  );
  assert.equal(
    heapLimit({ ...AUTO, reloadSurge: 4 }, 4, () => 2048 * MB),
    186,
  );
  assert.equal(
    heapLimit(AUTO, 1, () => 512 * MB),
    168,
  );
  for (const workers of [1, 2, 4, 16]) {
    const total = (workers + 1) * (heapLimit(AUTO, workers, () => 8192 * MB) ?? 0);
    assert.ok(total <= 0.75 * 8192 && total > 0.7 * 8192, `${workers}: ${total}`);
  }
  assert.equal(
    heapLimit(AUTO, 0, () => 512 * MB),
    168,
  );
});

test("a share is never too small to start, and none without a limit to share", () => {
  assert.equal(
    heapLimit(AUTO, 64, () => 256 * MB),
    32,
  );
  assert.equal(
    heapLimit(AUTO, 4, () => undefined),
    undefined,
  );
  assert.equal(
    heapLimit({ maxOldSpace: undefined, reloadSurge: 1 }, 4, () => 512 * MB),
    undefined,
  );
  assert.equal(
    heapLimit({ maxOldSpace: 100 * MB + 1, reloadSurge: 1 }, 4, () => 512 * MB),
    100,
  );
});

test("auto also bounds the young generation, which comes on top", () => {
  const memory = (): number => 2048 * MB;
  assert.deepEqual(heapFlags(AUTO, 4, memory), ["--max-old-space-size=297", "--max-semi-space-size=16"]);
  assert.deepEqual(
    heapFlags(AUTO, 4, () => undefined),
    [],
  );
  assert.deepEqual(heapFlags({ ...AUTO, maxOldSpace: 512 * MB }, 4, memory), ["--max-old-space-size=512"]);
});

test("the log says what it came to", () => {
  assert.equal(
    describeHeapLimit(AUTO, 4, () => 2048 * MB),
    "V8's heap limit of each worker: 297 MB (--max-old-space auto: the control group's 2048 MB, for 4 and during a reload 1 more)",
  );
  assert.match(describeHeapLimit(AUTO, 4, () => undefined) ?? "", /^V8's heap limit is Node's own: /);
  assert.equal(describeHeapLimit({ maxOldSpace: undefined, reloadSurge: 1 }, 4), undefined);
});

test("workers get it, whatever Node was told otherwise", async (context) => {
  const app = `${join(FIXTURES, "pool", "heap.mjs")}:handler`;
  const command = startCommand(
    context,
    [app, "-b", "127.0.0.1:0", "--no-control-socket", "--max-old-space", "100MB"],
    { env: { NODE_OPTIONS: "--max-old-space-size=900" } },
  );
  await command.ready();
  await command.line(/V8's heap limit of each worker: 100 MB \(--max-old-space\)$/);
  const limit = Number((await ask({ host: "127.0.0.1", port: await command.port() })).text);
  // The young generation comes on top of it: up to 192 MB in Node 24.
  assert.ok(limit >= 100 && limit < 350, `${limit} MB`);
  const auto = startCommand(context, [
    app,
    "-b",
    "127.0.0.1:0",
    "--no-control-socket",
    "--max-old-space",
    "auto",
  ]);
  await auto.ready();
  await auto.line(
    /V8's heap limit (?:of each worker: \d+ MB|is Node's own: the control group has no memory limit).*--max-old-space auto/,
  );
});
