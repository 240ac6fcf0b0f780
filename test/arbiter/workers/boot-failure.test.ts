/** An app that cannot be served at the first boot: the exit code, the reason, and no repeated respawns. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startCommand, temporaryFolder } from "../../support/command.ts";

interface Failure {
  readonly name: string;
  readonly app: string;
  readonly args?: readonly string[];
  readonly code: 3 | 4;
  readonly reason: RegExp;
  /** The part of the app's own stack that is logged. */
  readonly stack?: RegExp;
}

const FAILURES: Failure[] = [
  {
    name: "a startup that rejects",
    app: "pool/startup-fails.mjs",
    code: 3,
    reason: /the app's startup failed: Error: the database is away$/,
    stack: /Error: the database is away\n +at .*startup-fails\.mjs:3:/,
  },
  {
    name: "an app that ends its process",
    app: "pool/exits.mjs",
    code: 4,
    reason: /the app called process\.exit\(0\) while it was loaded \(at pool\/exits\.mjs:1\)$/,
    stack: /Error: process\.exit\(0\)\n +at .*exits\.mjs:1:\d+\)?\n\[/,
  },
  {
    name: "an app that ends its process, in the preflight of --preload",
    app: "pool/exits.mjs",
    args: ["--preload"],
    code: 4,
    reason: /^tsgun: the app called process\.exit\(0\) while it was loaded \(at pool\/exits\.mjs:1\)$/,
  },
  {
    name: "an app that ends its process behind its startup's back",
    app: "pool/exits-later.mjs",
    code: 3,
    reason: /the app called process\.exit\(7\) in its startup \(at pool\/exits-later\.mjs:4\)$/,
  },
  {
    name: "an app that is not loaded in time",
    app: "pool/never-loaded.mjs",
    args: ["--boot-timeout", "8s"],
    code: 3,
    reason:
      /not ready within 8s: pool\/never-loaded\.mjs has not finished loading \(an await at its top level, /,
  },
  {
    name: "an app that is not made in time",
    app: "pool/never-made.mjs:make()",
    args: ["--boot-timeout", "8s"],
    code: 3,
    reason: /not ready within 8s: pool\/never-made\.mjs:make\(\) has not settled$/,
  },
  {
    name: "an app that is not started in time",
    app: "pool/hangs.mjs",
    args: ["--boot-timeout", "8s"],
    code: 3,
    reason: /not ready within 8s: the app's startup has not settled$/,
  },
  {
    name: "an app that blocks while it is loaded",
    app: "pool/blocks-at-load.mjs",
    args: ["--boot-timeout", "12s", "-w", "1"],
    code: 3,
    reason: /not ready within 12s: the app blocked the event loop while it was loaded$/,
    stack: /The event loop is blocked\n +at block \(.*blocks-at-load\.mjs:5:\d+\)/,
  },
  {
    name: "an app that blocks in several workers, of which one is watched",
    app: "pool/blocks-at-load.mjs",
    args: ["--boot-timeout", "12s", "-w", "3"],
    code: 3,
    reason: /not ready within 12s: the app blocked the event loop while it was loaded$/,
    stack: /The event loop is blocked\n +at block \(.*blocks-at-load\.mjs:5:\d+\)/,
  },
  {
    name: "an uncaught error while the app starts",
    app: "pool/throws-later.mjs",
    code: 3,
    reason: /the worker failed to boot: Error: thrown behind startup's back$/,
    stack: /throws-later\.mjs:5:/,
  },
  {
    name: "a module that is not there",
    app: "pool/missing.mjs:handler",
    code: 4,
    reason: /pool\/missing\.mjs/,
  },
  { name: "a name that is not exported", app: "pool/echo.mjs:nothing", code: 4, reason: /nothing/ },
];

// Some wait for their boot timeout, which is many times what a boot takes on a busy machine; so they run side by side.
describe("an app that cannot be served", { concurrency: 4 }, () => {
  for (const failure of FAILURES) testFailure(failure);
});

function testFailure({ name, app, args = [], code, reason, stack }: Failure): void {
  test(`${name} exits with ${code} and the reason in the last line`, async (context) => {
    const command = startCommand(context, [app, "-w", "2", "-b", "127.0.0.1:0", ...args]);
    assert.deepEqual(await command.ended(), { code, signal: null });
    const lines = command.stderr.trimEnd().split("\n");
    if (!args.includes("--preload")) assert.match(lines.at(-1) ?? "", /\[ERROR\] Reason: /);
    assert.match(lines.at(-1) ?? "", reason);
    // One unexplained death is tolerated.
    assert.ok(command.lines(/Booting worker/).length <= 3, command.stderr);
    if (stack === undefined) return;
    assert.match(command.stderr, stack);
    assert.equal(command.lines(/Exception in worker process/).length, 1);
  });
}

test("a syntax error in TypeScript is reported in one line with its place", async (context) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "app.ts"), "export const handler = (request: unknown => {};\n");
  const command = startCommand(context, ["app.ts:handler", "-b", "127.0.0.1:0"], { cwd: folder });
  assert.equal((await command.ended()).code, 4);
  assert.match(command.stderr.trimEnd().split("\n").at(-1) ?? "", /Reason: .*app\.ts/);
});
