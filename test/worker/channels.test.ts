/** Instrumentations see requests and workers on diagnostics channels, for each kind of app. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";

interface Seen {
  readonly name: string;
  readonly key?: number;
  readonly id?: string;
  readonly pid?: number;
  readonly target?: string;
  readonly status?: number;
  readonly isTimed?: boolean;
  readonly error?: string;
  readonly parent?: string;
  readonly exitCode?: number;
}

const PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

for (const [kind, app] of [
  ["gateway", "observed-gateway.mjs:handler"],
  ["fetch", "observed-fetch.mjs"],
  ["node listener", "observed-listener.mjs"],
] as const) {
  test(`requests and workers on channels: ${kind}`, async (context) => {
    const folder = temporaryFolder(context);
    const file = join(folder, "observed");
    const path = join(folder, "app.sock");
    const log = join(folder, "access.log");
    const command = startCommand(
      context,
      [
        join(FIXTURES, "pool", app),
        ...["-b", `unix:${path}`, "--no-control-socket", "--request-timeout", "1s"],
        ...["--access-logfile", log, "--access-logformat", "%(id)s %(s)s"],
      ],
      { env: { OBSERVED: file } },
    );
    await command.ready();
    const seen = (): Seen[] =>
      !existsSync(file)
        ? []
        : readFileSync(file, "utf8")
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as Seen);
    const of = (target: string): Seen[] => seen().filter((one) => one.target === target);
    const ended = (target: string): Promise<Seen[]> =>
      until(`${target} has ended`, () => {
        const all = of(target);
        return all.some(({ name }) => name === "request:end") && all;
      });

    // On one connection, so that a store of the first would show in the second.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    context.after(() => agent.destroy());
    const text = (target: string): Promise<string> =>
      new Promise((resolve, reject) => {
        httpRequest(
          { socketPath: path, path: target, agent, headers: { traceparent: PARENT } },
          async (answer) => {
            let all = "";
            for await (const chunk of answer) all += chunk;
            resolve(all);
          },
        )
          .once("error", reject)
          .end();
      });
    assert.deepEqual([await text("/one?x"), await text("/two")], ["true", "true"]);
    const [start, end, ...more] = await ended("/one?x");
    assert.deepEqual(more, []);
    assert.deepEqual([start?.name, end?.name], ["request:start", "request:end"]);
    assert.deepEqual([start?.status, end?.status], [undefined, 201]);
    assert.deepEqual([start?.isTimed, end?.isTimed], [false, true]);
    assert.deepEqual([start?.key, end?.key], [1, 1], "the messages are one object");
    assert.equal(start?.parent, PARENT);
    await until("its line is written", () => readFileSync(log, "utf8").includes(`${start?.id} 201\n`));
    assert.notEqual((await ended("/two"))[0]?.id, start?.id);

    assert.equal((await ask({ path }, "/throw")).status, 500);
    const thrown = await ended("/throw");
    assert.deepEqual(
      thrown.map(({ name, status }) => [name, status]),
      [
        ["request:start", undefined],
        ["request:error", undefined],
        ["request:end", 500],
      ],
    );
    assert.match(thrown[1]?.error ?? "", /on purpose/);

    assert.equal((await ask({ path }, "/hang?late")).status, 503);
    const late = await ended("/hang?late");
    assert.deepEqual(
      late.map(({ name }) => name),
      ["request:start", "request:error", "request:end"],
    );
    assert.match(late[1]?.error ?? "", /no response within 1 s/);

    const socket = connect(path);
    socket.write("GET /hang?gone HTTP/1.1\r\nHost: h\r\n\r\n");
    await until("it has begun", () => of("/hang?gone").length > 0);
    socket.destroy();
    const gone = await ended("/hang?gone");
    assert.deepEqual(
      gone.map(({ name }) => name),
      ["request:start", "request:error", "request:end"],
    );
    assert.equal(gone[2]?.status, undefined);

    if (kind !== "fetch") {
      const upgrading = connect(path);
      upgrading.resume().on("error", () => {});
      upgrading.write("GET /up HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      assert.deepEqual(
        (await ended("/up")).map(({ name, status }) => [name, status]),
        [
          ["request:start", undefined],
          // A node listener writes its own response.
          ["request:end", kind === "gateway" ? 101 : undefined],
        ],
      );
      upgrading.destroy();
    }

    const [pid] = command.workers();
    assert.equal((await command.end()).code, 0);
    const life = seen().filter(({ name }) => name.startsWith("worker:"));
    // The app subscribes while it is loaded, when the worker has started.
    assert.deepEqual(
      life.map(({ name }) => name),
      ["worker:ready", "worker:drain", "worker:exit"],
    );
    assert.deepEqual(life[2], { name: "worker:exit", pid, slot: 1, generation: 1, exitCode: 0 });
  });
}

test("who is loaded before the app sees the start of the worker; the arbiter publishes events", async (context) => {
  const folder = temporaryFolder(context);
  const file = join(folder, "observed");
  const source = `
    import { subscribe } from "node:diagnostics_channel";
    import { appendFileSync } from "node:fs";
    const write = (message, name) => appendFileSync(${JSON.stringify(file)}, JSON.stringify({ name, ...message }) + "\\n");
    subscribe("tsgun:arbiter:event", write);
    export default {
      app: "app.mjs:handler", bind: "unix:app.sock", controlSocket: false,
      postFork: () => subscribe("tsgun:worker:start", write),
    };`;
  writeFileSync(join(folder, "tsgun.config.mjs"), source);
  writeFileSync(join(folder, "app.mjs"), "export const handler = (_, respond) => respond(200, {}, 'ok');\n");
  const command = startCommand(context, [], { cwd: folder });
  await command.ready();
  const [pid] = command.workers();
  await until("the start is seen", () => {
    const lines = readFileSync(file, "utf8").trim().split("\n");
    const all = lines.map((line) => JSON.parse(line) as Seen & { type?: string; message?: string });
    const starts = all.filter(({ name }) => name === "tsgun:worker:start");
    const ready = all.filter(({ name, type }) => name === "tsgun:arbiter:event" && type === "worker-ready");
    return starts.some((one) => one.pid === pid) && ready.some((one) => one.pid === pid);
  });
});
