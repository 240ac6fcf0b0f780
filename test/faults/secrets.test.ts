/** Secrets in every place that may hold one: none of them is in a log, a report, a record or a command line, whatever happens. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { ask } from "../support/ask.ts";
import {
  COMMAND,
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../support/command.ts";
import type { Target } from "../support/load.ts";
import { openapi } from "../support/openapi.ts";

/** A text that stands for the secret of a place. */
function canary(place: string): string {
  return `CANARY-${place}-0123456789abcdef`;
}

const PLACES = {
  adminToken: "token",
  variable: "variable",
  fileVariable: "file-variable",
  database: "userinfo",
  argument: "argument",
  authorization: "authorization",
  cookie: "cookie",
  body: "body",
  response: "response",
};

interface Planted {
  readonly folder: string;
  readonly server: RunningCommand;
  readonly app: Target;
  readonly control: Target;
  readonly admin: Target;
}

async function plant(context: TestContext): Promise<Planted> {
  const folder = temporaryFolder(context);
  const deaths = pathToFileURL(join(FIXTURES, "records", "deaths.mjs")).href;
  writeFileSync(
    join(folder, "app.mjs"),
    `import { handler as ends } from ${JSON.stringify(deaths)};
     export const create = (secret) => async (request, respond) => {
       if (request.path !== "/answer") return await ends(request, respond);
       await request.body.text();
       respond(200, { "set-cookie": ${JSON.stringify(canary(PLACES.response))} }, secret);
     };`,
  );
  writeFileSync(join(folder, ".env"), `PLAIN_NAME=${canary(PLACES.fileVariable)}\n`);
  const [control, admin] = [join(folder, "c.ctl"), join(folder, "admin.sock")];
  const words = [
    ...[`app.mjs:create("${canary(PLACES.argument)}")`, "-b", `unix:${join(folder, "app.sock")}`, "-w", "2"],
    ...[
      "--control-socket",
      control,
      "--admin-bind",
      `unix:${admin}`,
      "--record-dir",
      join(folder, "records"),
    ],
    ...["--access-logfile", join(folder, "access.log"), "--error-logfile", join(folder, "error.log")],
    ...["--env-file", ".env", "--env", `API_SECRET=${canary(PLACES.variable)}`, "--timeout", "2s"],
    ...["--env", `CACHE=redis://user:${canary(PLACES.database)}@127.0.0.1/0`, "--log-level", "debug"],
    ...["--capture-output", "--pid", join(folder, "app.pid")],
  ];
  const env = { TSGUN_ADMIN_TOKEN: canary(PLACES.adminToken), NODE_OPTIONS: "--max-old-space-size=60" };
  const server = startCommand(context, words, { cwd: folder, env });
  await until("it is ready", () => readFileSync(join(folder, "error.log"), "utf8").includes("Ready: "));
  return {
    folder,
    server,
    app: { path: join(folder, "app.sock") },
    control: { path: control },
    admin: { path: admin },
  };
}

/** The secrets that a client sends. */
const OF_CLIENT = {
  authorization: `Bearer ${canary(PLACES.authorization)}`,
  cookie: `session=${canary(PLACES.cookie)}`,
  "x-api-key": canary(PLACES.authorization),
};
/** The fields that the dashboard requires. */
const OF_OPERATOR = { authorization: `Bearer ${canary(PLACES.adminToken)}` };

/** Sends a request that has secrets wherever a client's may be. Resolves when it has ended in any way. */
function send(
  target: Target,
  path: string,
  method = "POST",
  headers: Readonly<Record<string, string>> = OF_CLIENT,
): Promise<string> {
  const { path: socketPath } = target as { path: string };
  return new Promise((resolve) => {
    const outgoing = request({ socketPath, path, method, headers, agent: false }, async (incoming) => {
      let text = "";
      try {
        for await (const piece of incoming.setEncoding("utf8")) text += piece;
      } catch {
        // The worker has ended.
      }
      resolve(text);
    });
    outgoing.on("error", () => resolve(""));
    outgoing.end(method === "POST" ? canary(PLACES.body) : undefined);
  });
}

/** The texts that everybody who may ask gets to see, by name. */
async function outputs({ folder, server, control, admin }: Planted): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  found.set("standard output", server.stdout).set("standard error", server.stderr);
  for (const [path, methods] of Object.entries(openapi().paths)) {
    if (methods.get === undefined) continue;
    const deaths = readdirSync(join(folder, "records"));
    const pid = `${server.workers()[0]}`;
    const asked = path.replace("{pid}", pid).replace("{id}", (deaths[0] ?? "").replace(".json", ""));
    if (["/events", "/logs"].includes(path)) found.set(path, await followed(control, asked));
    else
      for (const target of [control, admin])
        found.set(`${path} of ${JSON.stringify(target)}`, (await ask(target, asked)).text);
  }
  const overview = await send(admin, "/dashboard/api/overview", "GET", OF_OPERATOR);
  assert.match(overview, /"workers"/);
  found.set("the dashboard", overview);
  const words = ["--control-socket", (control as { path: string }).path];
  for (const verb of ["workers", "stats", "config", "requests", "trace", "listeners"]) {
    const { stdout, stderr } = spawnSync(process.execPath, [COMMAND, "ctl", verb, ...words], {
      encoding: "utf8",
    });
    found.set(`tsgun ctl ${verb}`, stdout + stderr);
  }
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    // The test has planted these itself.
    if (["app.mjs", ".env"].includes(name) || !statSync(path).isFile()) continue;
    found.set(name, readFileSync(path, "latin1"));
  }
  for (const pid of [server.pid, ...server.workers()])
    found.set(`command line of ${pid}`, readFileSync(`/proc/${pid}/cmdline`, "latin1"));
  return found;
}

/** The text that a stream has sent when it has been quiet for a moment: all that is kept comes at once. */
function followed(target: Target, path: string): Promise<string> {
  const { path: socketPath } = target as { path: string };
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, agent: false }, (incoming) => {
      let text = "";
      const finish = (): void => {
        outgoing.destroy();
        resolve(text);
      };
      const quiet = setTimeout(finish, 500);
      incoming.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        quiet.refresh();
      });
      incoming.on("end", finish).on("error", () => {});
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** A word in the targets of requests, which reports and records do hold: so what is looked into is the right thing. */
const KEPT = "kept-target";

const ENDS = ["/throw", "/reject", "/exit7", "/abort", "/segv", "/heap", "/spin"];

test("no output holds a secret, after deaths of all kinds and failed deploys", {
  skip: process.platform !== "linux" && "command lines are read from /proc",
}, async (context) => {
  const planted = await plant(context);
  const { folder, server, app } = planted;
  const log = (): string => readFileSync(join(folder, "error.log"), "utf8");
  assert.equal(await send(app, "/answer"), canary(PLACES.argument), "the app gets its secret");
  for (const [index, path] of ENDS.entries()) {
    await send(app, `${path}?${KEPT}`);
    await until(`${path} is recorded`, () => readdirSync(join(folder, "records")).length > index);
  }
  await send(app, `/${"x".repeat(70_000)}`);
  // A deploy that fails and one that serves.
  const source = readFileSync(join(folder, "app.mjs"), "utf8");
  writeFileSync(join(folder, "app.mjs"), 'throw new Error("no licence");');
  server.kill("SIGHUP");
  await until(
    "the deploy has failed",
    () => /no licence/.test(log()) && /generation 1 (keeps|stays|serves|continues)|abandon/i.test(log()),
  );
  writeFileSync(join(folder, "app.mjs"), source);
  server.kill("SIGHUP");
  await until("the next one serves", () => /Ready: generation [3-9]/.test(log()));
  await until("a worker answers", async () => (await send(app, "/answer")) !== "");

  const found = await outputs(planted);
  assert.ok(found.size > 30, `${found.size} outputs`);
  const leaks = [...found].flatMap(([name, text]) =>
    (text.match(/CANARY-[\w-]+/g) ?? []).map((secret) => `${name}: ${secret}`),
  );
  assert.deepEqual([...new Set(leaks)], []);
  const holds = [...found].filter(([, text]) => text.includes(KEPT)).map(([name]) => name);
  for (const place of ["access.log", "error.log", "/logs", "/deaths/{id}"])
    assert.ok(
      holds.some((name) => name.startsWith(place)),
      `${place} holds no target: ${holds.join(", ")}`,
    );
  assert.equal(holds.filter((name) => name.startsWith("records/")).length, ENDS.length);
  assert.ok(!existsSync(join(folder, "core")), "no core dump is in the working folder");

  // The arbiter's own secrets are not in the environment of a process that runs the app.
  for (const pid of server.workers())
    assert.ok(!readFileSync(`/proc/${pid}/environ`, "latin1").includes(canary(PLACES.adminToken)));
  const printed = spawnSync(
    process.execPath,
    [COMMAND, "--print-config", ...server.process.spawnargs.slice(2)],
    { cwd: folder, encoding: "utf8", env: { ...process.env, TSGUN_ADMIN_TOKEN: canary(PLACES.adminToken) } },
  );
  assert.equal(printed.status, 0, printed.stderr);
  assert.doesNotMatch(printed.stdout + printed.stderr, /CANARY/);
});
