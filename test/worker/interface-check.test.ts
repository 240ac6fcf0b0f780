/** A function that is called by the wrong interface is reported once, in one line, at the first request. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, until } from "../support/command.ts";

async function serve(context: TestContext, name: string, ...args: string[]) {
  const app = join(FIXTURES, "guesses", name);
  const command = startCommand(context, [app, "-b", "127.0.0.1:0", "--request-timeout", "8s", ...args]);
  await command.ready();
  return { command, target: { host: "127.0.0.1", port: await command.port() } };
}

const GUESSED = /Using worker: gateway handler \(guessed; --interface gateway, fetch or node to choose\)/;

describe("a guess", { concurrency: 3 }, () => {
  test("of a node listener's interface", async (context) => {
    const { command, target } = await serve(context, "bundled-listener.cjs");
    assert.match(command.stderr, GUESSED);
    for (let time = 0; time < 2; time++) assert.equal((await ask(target)).status, 500);
    const lines = command.lines(/it seems to be a node listener, use --interface node/);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /bundled-listener\.cjs failed with "t\.setHeader is not a function"/);
  });

  test("of a fetch function's interface", async (context) => {
    const { command, target } = await serve(context, "bundled-fetch.cjs");
    assert.match(command.stderr, GUESSED);
    void ask(target).catch(() => {});
    await command.line(
      /returned a Response without calling respond: it is a fetch app, use --interface fetch/,
    );
  });

  test("that leaves the first request without an answer", async (context) => {
    const { command, target } = await serve(context, "silent.cjs");
    void ask(target).catch(() => {});
    await command.line(
      /has not answered its first request within 5 s; that it is a gateway handler is a guess/,
    );
  });

  test("is none once --interface says what it is", async (context) => {
    const { command, target } = await serve(context, "bundled-listener.cjs", "--interface", "node");
    assert.match(command.stderr, /Using worker: node listener$/m);
    assert.equal((await ask(target)).text, "listener");
    await until("the worker has nothing to say", () => !/WARNING|ERROR/.test(command.stderr));
  });
});

test("--check-config says that it relies on a guess", async (context) => {
  const app = join(FIXTURES, "guesses", "silent.cjs");
  const command = startCommand(context, [app, "--check-config"]);
  assert.equal((await command.ended()).code, 0);
  assert.match(command.stdout, /gateway handler \(guessed; --interface/);
});
