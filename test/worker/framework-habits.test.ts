/** Habits of frameworks' built servers beside listening, as small programs. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder } from "../support/command.ts";
import { freePort } from "../support/free-port.ts";
import { otherNodes } from "../support/other-nodes.ts";

const fixture = (name: string): string => join(FIXTURES, "servers", name);

describe("a framework's server is served", { concurrency: 4 }, () => {
  test("that looks first whether its port is free", async (context) => {
    const command = startCommand(context, [fixture("probing.mjs"), "-b", "127.0.0.1:0"]);
    await command.ready();
    const { text } = await ask({ host: "127.0.0.1", port: await command.port() });
    assert.equal(text, "after the probe");
    assert.match(command.stderr, /Using worker: http\.Server of port 3000/);
    await command.end();
    assert.doesNotMatch(command.stderr, /also listens|ERROR|WARNING/);
  });

  test("that exports another listener like its own (Astro)", async (context) => {
    const PORT = `${await freePort()}`;
    const command = startCommand(context, [fixture("astro-like.mjs"), "-b", "127.0.0.1:0"], {
      env: { PORT },
    });
    await command.ready();
    const { text } = await ask({ host: "127.0.0.1", port: await command.port() });
    assert.match(text, /^listening \d+$/);
    assert.match(command.stderr, new RegExp(`Using worker: http\\.Server of port ${PORT}$`, "m"));
    assert.doesNotMatch(command.stderr, /also listens/);
  });
});

describe("an app that is exported, and listens too", { concurrency: 4 }, () => {
  for (const node of [process.execPath, ...otherNodes]) {
    test(`is served where it would listen itself (Hono, ${node})`, async (context) => {
      const port = await freePort();
      const args = [fixture("exported-hono.mjs"), "-b", `127.0.0.1:${port}`];
      const command = startCommand(context, args, { env: { PORT: `${port}` }, node });
      await command.ready();
      const target = { host: "127.0.0.1", port };
      assert.equal((await ask(target)).text, "exported");
      assert.match(command.stderr, /Using worker: fetch app/);
      assert.doesNotMatch(command.stderr, /also listens|cannot listen|ERROR|WARNING/);
    });
  }
});

describe("the end that a program brings about", { concurrency: 4 }, () => {
  for (const [how, end] of [
    ["passes the signal on to itself (Nest)", "signal"],
    ["exits with the code of the signal (Next)", "exit"],
  ] as const) {
    test(`is in order where its listener ${how}`, async (context) => {
      const log = join(temporaryFolder(context), "access.log");
      const args = [fixture("own-end.cjs"), "-b", "127.0.0.1:0", "--access-logfile", log];
      const command = startCommand(context, args, { env: { END: end } });
      await command.ready();
      const { status } = await ask({ host: "127.0.0.1", port: await command.port() }, "/last");
      assert.equal(status, 200);
      assert.deepEqual(await command.end(), { code: 0, signal: null });
      assert.equal(command.stdout, "SIGTERM in the app\n");
      assert.match(readFileSync(log, "utf8"), /"GET \/last HTTP\/1\.1" 200 /);
      assert.doesNotMatch(command.stderr, /ERROR|WARNING|debugger/);
    });
  }
});

test("a project without an app is told which file to serve", async (context) => {
  const cwd = temporaryFolder(context);
  writeFileSync(join(cwd, "package.json"), JSON.stringify({ devDependencies: { "@sveltejs/kit": "3.0.0" } }));
  const command = startCommand(context, [], { cwd });
  assert.equal((await command.ended()).code, 2);
  assert.match(command.stderr, /no app given: .*; this is a SvelteKit project: use @sveltejs\/adapter-node/);
});
