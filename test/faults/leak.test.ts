/** An app that leaks, with --max-old-space: its worker is replaced before V8 ends it in the middle of its requests. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { startCommand, temporaryFolder } from "../support/command.ts";

/** Keeps some 25 kB of V8's heap for each request, and answers after a while. */
const LEAK = `
const some = (length) => Array.from({ length }, (_, index) => ({ index, text: "x" + index }));
const kept = [some(430_000)];
export const handler = async (request, respond) => {
  kept.push(some(350));
  await new Promise((resolve) => setTimeout(resolve, 30));
  respond(200, null, String(request.worker.pid));
};
`;

test("a leaking app loses no request", async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "leak.mjs"), LEAK);
  const args = ["leak.mjs", "-b", "127.0.0.1:0", "--max-old-space", "64MB"];
  const command = startCommand(context, args, { cwd: folder });
  await command.ready();
  const target = { port: await command.port() };
  const pids = new Set<string>();
  const client = async (): Promise<void> => {
    while (pids.size < 2) {
      const { status, text } = await ask(target);
      assert.equal(status, 200);
      pids.add(text);
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  const [first] = pids;
  await command.line(
    new RegExp(`\\[WARNING\\] Worker \\(pid: ${first}\\) has \\S+MB in its heap, .* replacing it`),
  );
  assert.deepEqual(command.lines(/heap out of memory|was killed|\[ERROR\]/), []);
});
