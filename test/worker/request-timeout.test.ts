/** `--request-timeout` through the built command. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { startCommand } from "../support/command.ts";

for (const [name, app] of [
  ["a gateway app", "pool/life.mjs"],
  ["a node listener", "pool/silent-listener.cjs"],
  ["a server of the app", "pool/silent-server.cjs"],
] as const) {
  test(`${name} that does not answer in time: 503, a log line with the route, and the worker lives`, async (context) => {
    const command = startCommand(context, [app, "-b", "127.0.0.1:0", "--request-timeout", "200ms"]);
    await command.ready();
    const target = { port: await command.port() };
    const workers = command.workers();
    assert.equal((await ask(target, "/never?x=1")).status, 503);
    await command.line(
      /\[ERROR\] Error handling request GET \/never\?x=1 \(\S+\): no response within 0\.2 s$/,
    );
    assert.deepEqual(command.lines(/^ +at |status: 503/), []);
    assert.equal((await ask(target)).status, 200);
    assert.deepEqual(command.workers(), workers);
  });
}

test("the signal aborts, and an app can extend the time of a request", async (context) => {
  const app = ["pool/clocked.mjs:handler", "-b", "127.0.0.1:0", "--request-timeout", "300ms"];
  const command = startCommand(context, app);
  await command.ready();
  const target = { port: await command.port() };
  const extended = ask(target, "/extended");
  assert.equal((await ask(target, "/never")).status, 503);
  assert.match((await ask(target, "/end")).text, /the request timed out/);
  assert.deepEqual((await extended).text, "in time");
});
