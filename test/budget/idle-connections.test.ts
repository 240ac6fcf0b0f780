/** The memory that connections hold while they do nothing, against the budgets. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { otherNodes } from "../support/other-nodes.ts";
import { IDLE_CONNECTION_BYTES, IDLE_CONNECTIONS } from "./budgets.ts";
import { ask, startRow } from "./requests.ts";

/** Before the counted ones: the first make what all share. */
const EARLIER = 500;
const HELD = 2500;
const MANY = 10_000;
const AT_ONCE = 100;
const settings = ["--worker-connections", "20000"];
const REQUEST = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

async function open(port: number, asks: boolean): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  if (!asks) return socket;
  socket.write(REQUEST);
  const [bytes] = (await once(socket, "data")) as [Buffer];
  assert.match(bytes.toString("latin1"), /^HTTP\/1\.1 200 /);
  return socket;
}

/** Opens connections, some at a time, and closes them when the test ends. */
function holder(context: TestContext, port: number): (count: number, asks: boolean) => Promise<void> {
  const held: Socket[] = [];
  context.after(() => {
    for (const socket of held) socket.destroy();
  });
  return async (count, asks) => {
    for (let opened = 0; opened < count; opened += AT_ONCE)
      held.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => open(port, asks)))));
  };
}

function memoryOf(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1]) * 1024;
}

for (const node of [process.execPath, ...otherNodes]) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  for (const { name, app, unused, kept } of IDLE_CONNECTIONS) {
    test(`${name}: ${unused} and ${kept} bytes of heap, ${version}`, async (context) => {
      const { port } = await startRow(context, { name, app, path: "/hello" }, { node, settings });
      const hold = holder(context, port);
      const heapOf = async (asks: boolean): Promise<number> => {
        await hold(EARLIER, asks);
        const before = await ask(port, "/held");
        await hold(HELD, asks);
        return ((await ask(port, "/held")) - before) / HELD;
      };
      const bytes = { unused: await heapOf(false), kept: await heapOf(true) };
      context.diagnostic(`${name}: ${bytes.unused.toFixed(0)} unused, ${bytes.kept.toFixed(0)} kept`);
      assert.ok(bytes.unused > 0 && bytes.unused <= unused, `${bytes.unused} bytes, of ${unused}`);
      assert.ok(bytes.kept > 0 && bytes.kept <= kept, `${bytes.kept} bytes, of ${kept}`);
    });
  }

  const skip = process.platform !== "linux" && "memory is read from /proc";
  test(`${MANY} idle connections: ${IDLE_CONNECTION_BYTES} bytes each, ${version}`, {
    skip,
  }, async (context) => {
    const [{ name, app }] = IDLE_CONNECTIONS;
    const { port, worker } = await startRow(context, { name, app, path: "/hello" }, { node, settings });
    const hold = holder(context, port);
    await hold(EARLIER, true);
    const measure = async (): Promise<{ memory: number; young: number }> => {
      // Collects, so that no connection is left in the young generation.
      await ask(port, "/held");
      return { memory: memoryOf(worker), young: await ask(port, "/young") };
    };
    const before = await measure();
    await hold(MANY, true);
    const after = await measure();
    const memory = after.memory - before.memory;
    const young = after.young - before.young;
    const bytes = (memory - young) / MANY;
    const all = `${(memory / MANY).toFixed(0)} with what V8's young generation grew by`;
    context.diagnostic(`${bytes.toFixed(0)} bytes of memory each, ${all}`);
    assert.ok(bytes > 0 && bytes <= IDLE_CONNECTION_BYTES, `${bytes} bytes, ${all}`);
  });
}
