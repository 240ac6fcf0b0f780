/** Under Node's permission model the server runs with what it is allowed, and says in one line what is missing. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { Examined, type Reply } from "../support/examined.ts";
import { otherNodes } from "../support/other-nodes.ts";

/** Permissions that any server needs: its files, its workers, and from Node 25 on the network. */
const NEEDED = ["--allow-fs-read=*", "--allow-fs-write=*", "--allow-child-process"];

const CHECKOUT = join(import.meta.dirname, "..", "..");

/** JavaScript, since the TypeScript compiler is an addon. */
const APP = join(FIXTURES, "fallback", "app.mjs");

for (const node of [process.execPath, ...otherNodes]) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  const known = execFileSync(node, ["-p", "[...process.allowedNodeEnvironmentFlags].join(' ')"], {
    encoding: "utf8",
  }).split(/\s/);
  const model = known.includes("--permission") ? "--permission" : "--experimental-permission";
  const network = known.includes("--allow-net") ? ["--allow-net"] : [];
  const inspector = known.includes("--allow-inspector") ? ["--allow-inspector"] : [];

  const cases = [
    { allowed: [], missing: "--allow-worker and --allow-inspector" },
    { allowed: ["--allow-worker"], missing: "--allow-inspector" },
    ...(inspector.length > 0 ? [{ allowed: ["--allow-worker", ...inspector], missing: "" }] : []),
  ];
  for (const { allowed, missing } of cases) {
    const name = `${version} ${[model, ...allowed].join(" ")}`;
    test(`${name}: it serves, counts, and ${missing === "" ? "shows stacks" : "says what is missing"}`, async (context) => {
      const options = [model, ...NEEDED, ...network, ...allowed].join(" ");
      const env = { NODE_OPTIONS: options };
      const server = await new Examined(context, ["-w", "1"], { node, env }, APP).ready();
      const pid = server.worker();
      for (let number = 0; number < 5; number++) assert.equal(await server.get("/"), String(pid));
      await until("all requests are counted", async () => {
        return (await server.report<StatsReport>("/stats")).totals.requests === 5;
      });
      const line = /Node's permission model allows no stacks of blocked workers.*: add (.*)$/;
      assert.deepEqual(
        server.command.lines(line).map((each) => line.exec(each)?.[1]),
        missing === "" ? [] : [missing],
      );
      const stack = (): Promise<Reply> => server.reply("GET", `/workers/${pid}/stack`);
      if (missing === "") {
        const blocked = server.begin("/block?ms=3000");
        await until("the stack shows what blocks", async () => /at block \(/.test((await stack()).text));
        await blocked;
      } else {
        const { status, text } = await stack();
        assert.equal(status, 503);
        assert.ok(text.includes(`denies it; start the server with ${missing}"`), text);
      }
      assert.deepEqual(server.command.workers(), [pid], "the worker lives");
    });
  }

  test(`${version}: with the packages, the app, /proc and /dev/null to read, and nothing to write, it serves`, async (context) => {
    const folder = temporaryFolder(context);
    cpSync(APP, join(folder, "app.mjs"));
    const readable = [`${CHECKOUT}/`, `${folder}/`, "/proc/", "/dev/null"].map(
      (path) => `--allow-fs-read=${path}`,
    );
    const env = { NODE_OPTIONS: [model, ...readable, "--allow-child-process", ...network].join(" ") };
    const words = [
      join(folder, "app.mjs"),
      "-b",
      "127.0.0.1:0",
      "-w",
      "1",
      "--no-control-socket",
      "--no-record-dir",
    ];
    const command = startCommand(context, words, { node, env, cwd: folder });
    await command.ready();
    const [pid] = command.workers();
    assert.equal((await ask({ port: await command.port() })).text, String(pid));
    // It counts nothing, since it has no file to count in, and says what that takes.
    await command.line(/No scoreboard.*: start node with --allow-fs-read=\S+ and --allow-fs-write=\S+/);
    assert.deepEqual(await command.end(), { code: 0, signal: null });
  });

  const refusals = [
    {
      what: "processes",
      options: ["--allow-fs-read=*"],
      file: "app.mjs",
      says: /a worker could not be started: Node's permission model denies it: start node with --allow-child-process$/m,
    },
    {
      what: "addons, for TypeScript",
      options: [...NEEDED, "--allow-worker"],
      file: "app.ts",
      says: /cannot load the TypeScript compiler @oxc-node\/core: Node's permission model denies it: start node with --allow-addons, or compile the app/,
    },
    {
      what: "addons, for TypeScript that is CommonJS",
      options: [...NEEDED, "--allow-worker"],
      file: "app.cts",
      says: /Node's permission model denies it: start node with --allow-addons, or (compile the app|serve what tsc compiles)/,
    },
  ];
  for (const { what, options, file, says } of refusals) {
    test(`${version}: without ${what} it ends with a line that names the option`, async (context) => {
      const folder = temporaryFolder(context);
      writeFileSync(
        join(folder, file),
        "exports.handler = (request, respond) => respond(200, {}, request.path);",
      );
      const env = { NODE_OPTIONS: [model, ...network, ...options].join(" ") };
      const command = startCommand(context, [file, "-b", "127.0.0.1:0", "--record-dir", "records"], {
        node,
        env,
        cwd: folder,
      });
      assert.notEqual((await command.ended()).code, 0);
      assert.match(command.stderr, says);
    });
  }

  test(`${version}: TypeScript runs with --allow-addons`, async (context) => {
    const folder = temporaryFolder(context);
    writeFileSync(
      join(folder, "app.ts"),
      "enum Name { app }\nexport const handler = (_: unknown, respond: (...all: unknown[]) => void) => respond(200, {}, Name[0]);",
    );
    // Node 20 compiles in a thread.
    const options = [model, ...network, ...NEEDED, "--allow-addons", "--allow-worker"];
    const command = startCommand(context, ["app.ts", "-b", "127.0.0.1:0"], {
      node,
      env: { NODE_OPTIONS: options.join(" ") },
      cwd: folder,
    });
    await command.ready();
    assert.equal((await ask({ port: await command.port() })).text, "app");
  });
}
