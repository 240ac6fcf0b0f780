/** The package as npm would publish it, installed in an empty folder, does what the README says. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
/** npx and the command find the Node that runs this test, whichever that is. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
const ROOT = join(import.meta.dirname, "..");
const EXPORTS = Object.keys(
  (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { exports: object }).exports,
).filter((entry) => entry !== "./package.json");

/** Where the package is installed; Unix sockets in it keep within their 107 bytes. */
let folder: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "tsgun-package-"));
  // Without scripts: what is packed is the build that the other tests run, not a new one under their feet.
  const { stdout } = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: ROOT,
  });
  const [packed] = JSON.parse(stdout) as [{ filename: string }];
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const install = ["install", "--prefer-offline", "--no-audit", "--no-fund", join(folder, packed.filename)];
  await run("npm", install, { cwd: folder });
});

after(() => rmSync(folder, { recursive: true, force: true }));

describe("the installed package", () => {
  test("has the command, the entries and no sources or tests", async () => {
    const installed = join(folder, "node_modules", "tsgun");
    const { stdout } = await run("find", [installed, "-path", "*/node_modules/tsgun/*", "-type", "f"]);
    const files = stdout.trim().split("\n");
    assert.ok(files.includes(join(installed, "dist/cli/main.js")));
    assert.ok(files.includes(join(installed, "LICENSE")));
    for (const name of ["index.html", "dashboard.js", "dashboard.css"])
      assert.ok(files.includes(join(installed, "dist/dashboard", name)), name);
    const strays = files.filter((file) => /\/tsgun\/(?:src|test|examples|bench)\//.test(file));
    assert.deepEqual(strays, []);
  });

  test("can be imported by each of its entries", async () => {
    const imports = EXPORTS.map((entry) => `await import(${JSON.stringify(join("tsgun", entry))});`);
    const script = join(folder, "imports.mjs");
    writeFileSync(script, `${imports.join("\n")}\nconsole.log("all there");\n`);
    const { stdout } = await run(process.execPath, [script], { cwd: folder });
    assert.equal(stdout, "all there\n");
  });

  test("brings types that check for a strict consumer, who checks declarations too", async () => {
    const typed = EXPORTS.map((entry, index) => `export * as entry${index} from "${join("tsgun", entry)}";`);
    writeFileSync(
      join(folder, "consumer.ts"),
      `import type { Handler } from "tsgun";
import { type App, compose } from "tsgun/gateway";

export const handler: Handler = (request, respond) => {
  const path: string = request.path;
  respond(200, { "content-type": "text/plain" }, path);
};
// @ts-expect-error a status is a number
export const wrong: Handler = (_request, respond) => respond("200", null, null);
export const app: App<number> = { startup: () => 1, handle: compose<number>()((request) => void (request.state + 1)) };
${typed.join("\n")}
`,
    );
    const options = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: "es2022",
      module: "nodenext",
      skipLibCheck: false,
      typeRoots: [join(ROOT, "node_modules", "@types")],
      types: ["node"],
    };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: options, files: ["consumer.ts"] }),
    );
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    await assert.doesNotReject(
      run(tsc, ["-p", folder]).catch((error: { stdout: string }) => {
        throw new Error(error.stdout);
      }),
    );
  });

  const apps: [file: string, source: string][] = [
    ["app.js", "exports.handler = (request, respond) => respond(200, {}, 'app.js ' + request.worker.pid);"],
    ["app.cjs", "module.exports = (request, respond) => respond(200, {}, 'app.cjs ' + request.worker.pid);"],
    [
      "app.ts",
      `import type { Handler } from "tsgun";
       enum Name { file = "app.ts" }
       export const handler: Handler = (request, respond) => respond(200, {}, Name.file + " " + request.worker.pid);`,
    ],
  ];
  for (const [file, source] of apps) {
    test(`serves ${file} with four workers over a Unix socket`, async (t) => {
      const socket = join(folder, `${file}.sock`);
      writeFileSync(join(folder, file), source);
      const spec = file === "app.cjs" ? file : `${file}:handler`;
      const args = ["--no-install", "tsgun", spec, "--workers", "4", "--bind", `unix:${socket}`];
      // A group of its own: npx puts a shell between itself and the command.
      const npx = spawn("npx", args, {
        cwd: folder,
        env,
        detached: true,
        stdio: ["ignore", "ignore", "pipe"],
      });
      const closed = once(npx, "close");
      t.after(async () => {
        signalGroup(npx.pid as number, "SIGKILL");
        await closed;
      });
      let log = "";
      npx.stderr.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
      try {
        const pids = await pidsThatAnswer(socket, file, 4);
        assert.equal(pids.size, 4);
        signalGroup(npx.pid as number, "SIGTERM");
        await within(10_000, closed, "the command to end");
        for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
      } catch (error) {
        throw new Error(`${(error as Error).message}\nthe command wrote:\n${log}`, { cause: error });
      }
    });
  }
});

/** Asks until `count` workers have answered with `file` and their process id. */
async function pidsThatAnswer(socketPath: string, file: string, count: number): Promise<Set<number>> {
  const pids = new Set<number>();
  const deadline = Date.now() + 20_000;
  let last: unknown = "not asked";
  while (pids.size < count) {
    if (Date.now() > deadline) throw new Error(`${pids.size} of ${count} workers answered; last: ${last}`);
    try {
      last = await ask(socketPath);
      const [name, pid] = (last as string).split(" ");
      assert.equal(name, file);
      pids.add(Number(pid));
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      last = error;
      await pause(20);
    }
  }
  return pids;
}

function ask(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ socketPath, path: "/", agent: false }, async (response) => {
      let body = "";
      for await (const chunk of response.setEncoding("utf8")) body += chunk;
      resolve(body);
    });
    request.on("error", reject);
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended.
  }
}

async function within(milliseconds: number, done: Promise<unknown>, what: string): Promise<void> {
  const late = pause(milliseconds, undefined, { ref: false }).then(() => {
    throw new Error(`waited ${milliseconds} ms in vain for ${what}`);
  });
  await Promise.race([done, late]);
}
