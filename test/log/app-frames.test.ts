/** Which frames of a stack the log shows. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { appFrames } from "../../src/log/app-frames.ts";
import { type RunningCommand, startCommand, temporaryFolder } from "../support/command.ts";

const OWN = fileURLToPath(new URL("../../src/server/", import.meta.url));

/** An error with these frames, as inspect shows it. */
function shown(error: Error, ...frames: readonly string[]): string {
  error.stack = [`${error.name}: ${error.message}`, ...frames.map((frame) => `    at ${frame}`)].join("\n");
  return inspect(error);
}

test("frames of tsgun and Node are left out, those of the app and its packages stay", () => {
  const text = shown(
    new Error("no"),
    "Object.openSync (node:fs:573:18)",
    "read (/srv/app/read.js:1:2)",
    "Array.map (<anonymous>)",
    "process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
    "Layer.handle (/srv/app/node_modules/express/lib/layer.js:1:2)",
    "Server.emit (node:events:524:28)",
    `run (${OWN}connection.js:1:2)`,
    `look (${pathToFileURL(OWN).href}input.js:1:2)`,
    "execute (/srv/app/node_modules/http-parser-js/http-parser.js:1:2)",
    "parserOnIncoming (node:_http_server:1139:12)",
  );
  assert.deepEqual(
    appFrames(text)
      .split("\n")
      .map((line) => line.trim()),
    [
      "Error: no",
      "at Object.openSync (node:fs:573:18)",
      "at read (/srv/app/read.js:1:2)",
      "at Array.map (<anonymous>)",
      "at Layer.handle (/srv/app/node_modules/express/lib/layer.js:1:2)",
    ],
  );
});

test("an error with frames of tsgun and Node only keeps them", () => {
  const text = shown(
    new Error("ours"),
    `run (${OWN}connection.js:1:2)`,
    "process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
  );
  assert.equal(appFrames(text), text);
});

test("properties and causes are kept, in their braces", () => {
  const inner = new TypeError("inner");
  inner.stack = `TypeError: inner\n    at query (/srv/app/db.js:1:2)\n    at run (${OWN}a.js:1:2)`;
  const outer = Object.assign(new Error("outer", { cause: inner }), { code: "X" });
  assert.equal(
    appFrames(shown(outer, "load (/srv/app/app.js:3:4)", `run (${OWN}a.js:1:2)`)),
    "Error: outer\n    at load (/srv/app/app.js:3:4) {\n  code: 'X',\n" +
      "  [cause]: TypeError: inner\n      at query (/srv/app/db.js:1:2)\n}",
  );
});

test("a message that looks like a frame is kept", () => {
  const text = shown(new Error("first\nsecond"), "load (/srv/app/app.js:3:4)");
  assert.equal(appFrames(text), text);
});

const GATEWAY = `export const handler = (request, respond) => {
  if (request.path === "/cause") throw new Error("outer", { cause: new TypeError("inner") });
  if (request.path === "/many") throw new AggregateError([new Error("one")], "many");
  throw new Error("boom");
};
`;
const NODE = `import { createServer } from "node:http";
export default createServer(() => { throw new Error("boom"); });
`;

async function failing(context: TestContext, source: string, ...options: string[]): Promise<RunningCommand> {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "app.mjs"), source);
  const args = ["app.mjs", "-b", "127.0.0.1:0", "--no-control-socket", ...options];
  const command = startCommand(context, args, { cwd: folder });
  await command.ready();
  const [url] = await command.urls();
  for (const path of ["/", "/cause", "/many"]) {
    assert.equal((await fetch(`${url}${path}`)).status, 500);
  }
  await command.line(/GET \/many/);
  return command;
}

/** The lines of a log that are frames. */
function framesIn(text: string): string[] {
  return text.match(/^ +at .*$/gm) ?? [];
}

const ID = "\\([0-9a-f]{12}-[0-9a-z]+\\)";

for (const [kind, source] of Object.entries({ gateway: GATEWAY, node: NODE })) {
  test(`the log of a ${kind} app has only the app's frames, and ids of the same form`, async (context) => {
    const { stderr } = await failing(context, source);
    const frames = framesIn(stderr);
    assert.ok(frames.length >= 3);
    for (const frame of frames) assert.match(frame, /\/app\.mjs:\d+:\d+/);
    assert.match(stderr, new RegExp(`Error handling request GET / ${ID}\n`));
  });

  test(`the log of a ${kind} app has all frames with --log-level debug`, async (context) => {
    const { stderr } = await failing(context, source, "--log-level", "debug");
    assert.ok(framesIn(stderr).some((frame) => frame.includes("/dist/chunks/worker.js")));
  });
}

for (const [kind, source, line] of [
  [
    "gateway",
    `export const handler = (_, respond) => respond(200, { "content-length": "9" }, ["short"]);`,
    "Content-Length is 9, but the content has 5 bytes (gateway section 6.5)",
  ],
  [
    "fetch",
    "export default { fetch: async () => {} };",
    "the fetch app returned undefined, which is not a Response",
  ],
] as const) {
  test(`what tsgun finds wrong with a ${kind} app is one line if no frame of the app led to it`, async (context) => {
    const folder = temporaryFolder(context);
    writeFileSync(join(folder, "app.mjs"), source);
    const args = ["app.mjs", "-b", "127.0.0.1:0", "--no-control-socket"];
    const command = startCommand(context, args, { cwd: folder });
    await command.ready();
    const [url] = await command.urls();
    await fetch(`${url}/`)
      .then((response) => response.text())
      .catch(() => {});
    const logged = await command.line(/Error handling request/);
    assert.ok(logged.endsWith(`: ${line}`), logged);
    assert.equal((await command.end()).code, 0);
    assert.deepEqual(framesIn(command.stderr), []);
  });
}

interface LoggedError {
  readonly stack: string;
  readonly aggregateErrors?: readonly LoggedError[];
}

test("JSON has only the app's frames, also in causes and in the errors of an AggregateError", async (context) => {
  const command = await failing(context, GATEWAY, "--log-format", "json");
  const errors = command.lines(/"err":/).map((line) => (JSON.parse(line) as { err: LoggedError }).err);
  const stacks = errors.flatMap(({ stack, aggregateErrors = [] }) => [
    stack,
    ...aggregateErrors.map((each) => each.stack),
  ]);
  assert.equal(stacks.length, 4);
  for (const stack of stacks) {
    const frames = framesIn(stack);
    assert.ok(frames.length > 0, stack);
    for (const frame of frames) assert.match(frame, /\/app\.mjs:\d+:\d+/);
  }
  assert.ok(stacks.some((stack) => /caused by: TypeError: inner\n +at /.test(stack)));
});
