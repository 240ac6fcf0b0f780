/** The classes of fetch are loaded before an app only if its project names a package that keeps `Request` when it is loaded. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { mayKeepRequest } from "../../src/loader/fetch-packages.ts";
import { ask } from "../support/ask.ts";
import { startCommand, temporaryFolder } from "../support/command.ts";
import { otherNodes } from "../support/other-nodes.ts";

const run = promisify(execFile);
const NODES = [process.execPath, ...otherNodes];

function project(context: TestContext, manifest: string | undefined, app = ""): string {
  const folder = temporaryFolder(context);
  if (manifest !== undefined) writeFileSync(join(folder, "package.json"), manifest);
  writeFileSync(join(folder, "app.mjs"), app);
  return folder;
}

const NONE = '{ "dependencies": { "express": "5" } }';

test("the nearest package.json tells, in each of its lists", (context) => {
  assert.equal(mayKeepRequest(project(context, NONE)), false);
  for (const list of ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"])
    assert.equal(mayKeepRequest(project(context, `{ "${list}": { "@hono/node-server": "1" } }`)), true, list);
  const folder = project(context, NONE);
  mkdirSync(join(folder, "src", "deep"), { recursive: true });
  assert.equal(mayKeepRequest(join(folder, "src", "deep")), false);
  writeFileSync(join(folder, "src", "package.json"), '{ "dependencies": { "hono": "4" } }');
  assert.equal(mayKeepRequest(join(folder, "src", "deep")), true);
});

test("without a package.json that can be read, a project may load any", (context) => {
  assert.equal(mayKeepRequest(project(context, "{")), true);
  assert.equal(mayKeepRequest("/"), true);
});

const FETCH = "NativeModule internal/deps/undici/undici";
const GATEWAY = `export const handler = (_, respond) =>
  respond(200, {}, String(process.moduleLoadList.includes(${JSON.stringify(FETCH)})));\n`;
/** Passes the request on by the class that it has kept, and by the global. */
const KEEPS = `const Kept = globalThis.Request;
const copied = async (Class, request) => new Class(request, { headers: { "x-a": "1" } }).text();
export default {
  async fetch(request) {
    const text = request.url.endsWith("/kept") ? await copied(Kept, request) : await copied(Request, request);
    return new Response(text + " " + fetch.name);
  },
};\n`;
const LEAVES = KEEPS.replace("globalThis.Request", "undefined");
/** Tells whether its request is a real one. */
const SHOWS = `export default {
  fetch(request) {
    return new Response(Object.getPrototypeOf(request) === Request.prototype ? "real" : "light");
  },
};\n`;

for (const node of NODES) {
  describe(`with Node ${node}`, { concurrency: 2 }, () => {
    test("a gateway app runs without what fetch brings", async (context) => {
      const command = startCommand(context, ["app.mjs:handler", "-b", "127.0.0.1:0"], {
        cwd: project(context, NONE, GATEWAY),
        node,
      });
      await command.ready();
      assert.equal((await ask({ host: "127.0.0.1", port: await command.port() })).text, "false");
    });

    for (const [name, app, paths] of [
      ["keeps the class", KEEPS, ["/kept", "/global"]],
      ["leaves the class alone", LEAVES, ["/global"]],
    ] as const) {
      test(`a fetch app of which nothing was known, and which ${name}, can pass its requests on`, async (context) => {
        const command = startCommand(context, ["app.mjs", "-b", "127.0.0.1:0"], {
          cwd: project(context, NONE, app),
          node,
        });
        await command.ready();
        const target = { host: "127.0.0.1", port: await command.port() };
        for (const path of paths) assert.equal((await ask(target, path, "sent")).text, "sent fetch");
      });
    }

    test("a fetch app of which nothing was known, and which leaves the class alone, gets light requests", async (context) => {
      const command = startCommand(context, ["app.mjs", "-b", "127.0.0.1:0"], {
        cwd: project(context, NONE, SHOWS),
        node,
      });
      await command.ready();
      assert.equal((await ask({ host: "127.0.0.1", port: await command.port() })).text, "light");
    });

    test("the list of loaded modules shows that a program uses fetch", async () => {
      const script = `const has = () => process.moduleLoadList.includes(${JSON.stringify(FETCH)});
        const before = has(); Request; console.log(before, has());`;
      assert.equal((await run(node, ["-e", script])).stdout, "false true\n");
    });
  });
}
