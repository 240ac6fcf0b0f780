/** The control interface shows a running server, and nothing secret of it. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type RouteParts, routeTable } from "../../src/arbiter/control/route-table.ts";
import { SETTING_NAMES, type Setting, settingLabel, settings } from "../../src/config/settings.ts";
import type { WorkerReport } from "../../src/control/api.ts";
import { requestControl } from "../../src/control/control-client.ts";
import type {
  ConfigReport,
  DeathReport,
  EventReport,
  InFlightReport,
  InjectReport,
} from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import { type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

/** Texts that no answer may contain. */
const SECRET = "s3cret-canary";

interface Shown {
  readonly command: RunningCommand;
  readonly socket: string;
  get<T>(path: string): Promise<T>;
  inject(
    body: unknown,
  ): Promise<{ readonly status: number; readonly body: InjectReport & { readonly error: string } }>;
}

async function shown(context: Parameters<typeof temporaryFolder>[0], ...args: string[]): Promise<Shown> {
  const socket = join(temporaryFolder(context), "c.ctl");
  const options = ["control/app.mjs", "-b", "127.0.0.1:0", "--control-socket", socket, ...args];
  const command = startCommand(context, options, { env: { WEB_CONCURRENCY: "2" } });
  await command.ready();
  await until("it answers", async () => (await requestControl(socket, "GET", "/status")).status === 200);
  return {
    command,
    socket,
    get: async <T>(path: string) => {
      const { status, body } = await requestControl(socket, "GET", path);
      assert.equal(status, 200, JSON.stringify(body));
      return body as T;
    },
    inject: async (body) => (await requestControl(socket, "POST", "/inject", body)) as never,
  };
}

test("config has the effective settings with their sources", async (context) => {
  const { command, get } = await shown(
    context,
    ...["--keep-alive", "9s", `--env=TOKEN=${SECRET}`],
    ...["--access-logfile", `/dev/null`],
  );
  const config = await get<ConfigReport>("/config");
  const setting = (name: string) => config.settings.find((each) => each.name === name);
  assert.equal(config.generation, 1);
  assert.deepEqual(setting("keepAlive"), {
    name: "keepAlive",
    value: "9s",
    source: "command line",
    origin: "--keep-alive",
    canReload: true,
  });
  assert.deepEqual(setting("workers"), {
    name: "workers",
    value: "2",
    source: "variable",
    origin: "WEB_CONCURRENCY in the environment",
    canReload: true,
  });
  assert.equal(setting("linger")?.source, "default");
  assert.equal(setting("bind")?.canReload, false);
  assert.equal(setting("env")?.value, "TOKEN=***");
  command.kill("SIGHUP");
  await command.ready(2);
  const reloaded = await get<ConfigReport>("/config");
  assert.equal(reloaded.generation, 2);
  assert.deepEqual(reloaded.settings, config.settings);
});

test("nothing secret is in any answer, nor in the names of the processes", async (context) => {
  const folder = temporaryFolder(context);
  const socket = join(folder, "c.ctl");
  writeFileSync(join(folder, "secrets.env"), `FROM_FILE=${SECRET}\n`);
  const secret = SETTING_NAMES.filter((name) => (settings[name] as Setting<unknown>).secret === true);
  const command = startCommand(
    context,
    [
      ...[`control/app.mjs:make("${SECRET}")`, "-b", "127.0.0.1:0", "--control-socket", socket, "-w", "1"],
      ...[`--env=PLAIN=${SECRET}`, `--env=DB=redis://me:${SECRET}@db/0`],
      ...["--env-file", join(folder, "secrets.env"), "--record-dir", join(folder, "records")],
      ...["--admin-bind", `unix:${join(folder, "admin.sock")}`],
      ...secret.map((name) => `--${settingLabel(name)}=${SECRET}-${name}`),
    ],
    { env: { PASSWORD: SECRET } },
  );
  await command.ready();
  await until("it answers", async () => (await requestControl(socket, "GET", "/status")).status === 200);
  await requestControl(socket, "POST", "/inject", { path: "/die" });
  const paths = (await routeTable({} as RouteParts)).filter(({ method }) => method === "GET");
  const [worker] = (await requestControl(socket, "GET", "/workers")).body as WorkerReport[];
  const deaths = await until("the death is recorded", async () => {
    const { body } = await requestControl(socket, "GET", "/deaths");
    return (body as DeathReport[]).length > 0 ? (body as DeathReport[]) : undefined;
  });
  for (const { path, audience } of paths) {
    const asked = path.replace(":pid", String(worker?.pid)).replace(":id", deaths[0]?.id ?? "");
    const targets = [socket, ...(audience === "probe" ? [join(folder, "admin.sock")] : [])];
    for (const target of targets) {
      const { text } = await ask({ path: target }, asked);
      assert.ok(text.length > 0 && !text.includes(SECRET), `${asked}: ${text.slice(0, 2000)}`);
    }
  }
  assert.ok(secret.length > 0);
  const title = readFileSync(`/proc/${command.workers()[0]}/cmdline`, "latin1");
  assert.ok(!title.includes(SECRET), title);
});

test("one worker gets an injected request; the others, and those that do not serve, are told apart", async (context) => {
  const { command, get, inject } = await shown(context, "--timeout", "1h");
  const workers = await get<WorkerReport[]>("/workers");
  const pidOf = (slot: number): number => workers.find((worker) => worker.slot === slot)?.pid ?? 0;

  const first = await inject({ path: "/x?y" });
  assert.equal(first.status, 200);
  assert.equal(first.body.body, `${pidOf(1)} 1 GET `);
  assert.deepEqual([first.body.status, first.body.pid, first.body.slot], [200, pidOf(1), 1]);
  assert.deepEqual([first.body.encoding, first.body.isCut], ["utf8", false]);
  const second = await inject({
    slot: 2,
    method: "POST",
    path: "/",
    body: "é",
    headers: { "x-a": ["1", "2"] },
  });
  assert.equal(second.body.body, `${pidOf(2)} 2 POST é`);
  const named = await inject({ pid: pidOf(2), path: "/", method: "PUT", body: "aGk=", encoding: "base64" });
  assert.equal(named.body.body, `${pidOf(2)} 2 PUT hi`);

  const bytes = await inject({ path: "/bytes" });
  assert.deepEqual([bytes.body.encoding, bytes.body.body], ["base64", "//4A"]);
  const large = await inject({ path: "/large" });
  assert.deepEqual([large.body.encoding, large.body.isCut, large.body.bytes], ["utf8", true, 1_400_000]);
  assert.equal(Buffer.byteLength(large.body.body), 1024 * 1024);

  for (const [body, status, error] of [
    [undefined, 400, /send \{"path"/],
    [{ path: "x" }, 400, /path must begin with \//],
    [{ path: "/", method: "CONNECT" }, 400, /method cannot be CONNECT/],
    [{ path: "/", headers: { "a b": "c" } }, 400, /not the name of a header field/],
    [{ path: "/", headers: { a: "c\r\nd: e" } }, 400, /a value that cannot be sent/],
    [{ path: "/", headers: [] }, 400, /headers is an object/],
    [{ path: "/", body: 1 }, 400, /body is text/],
    [{ path: "/", encoding: "hex" }, 400, /encoding is/],
    [{ path: "/", slot: "1" }, 400, /slot is a whole number/],
    [{ path: "/", slut: 1 }, 400, /no member "slut"/],
    [{ path: "/", slot: 9 }, 404, /no worker in slot 9/],
    [{ path: "/", pid: 1 }, 404, /no worker with pid 1/],
    [{ path: "/slow", timeout: 50 }, 503, /no response within 0.05 s/],
  ] as const) {
    const refused = await inject(body);
    assert.equal(refused.status, status, JSON.stringify(body));
    assert.match(refused.body.error, error);
  }

  const dying = await inject({ path: "/die", slot: 2 });
  assert.equal(dying.status, 503);
  assert.match(dying.body.error, new RegExp(`^worker ${pidOf(2)} ended before it responded$`));
  await until("slot 2 has a worker", async () =>
    (await get<WorkerReport[]>("/workers")).some(({ slot, state }) => slot === 2 && state === "ready"),
  );
  const events = await get<EventReport[]>("/events");
  const exit = events.find(({ type }) => type === "worker-exit");
  assert.deepEqual([exit?.pid, exit?.slot, exit?.isProblem], [pidOf(2), 2, true]);

  const blocking = ask({ host: "127.0.0.1", port: await command.port() }, "/block").catch(() => {});
  const blocked = await until("a worker is blocked", async () => {
    for (const slot of [1, 2]) {
      const { body } = await inject({ path: "/", slot });
      if (body.error !== undefined) return body.error;
    }
    return undefined;
  });
  assert.match(blocked, /^worker \d+ has not taken the request within 1 s: its event loop is blocked/);
  command.kill("SIGQUIT");
  await blocking;
});

test("requests in flight are shown with their worker, oldest first, until they end", async (context) => {
  const { command, get } = await shown(context);
  const target = { host: "127.0.0.1", port: await command.port() };
  const slow = [ask(target, "/slow?a"), ask(target, "/slow?b", "content")];
  const found = await until("both are in flight", async () => {
    const requests = await get<InFlightReport[]>("/requests");
    // A busy worker may not answer in time: then its page is all that is known.
    return requests.length === 2 && requests.every(({ id }) => id !== null) ? requests : undefined;
  });
  assert.deepEqual(found.map(({ method, target: of }) => `${method} ${of}`).sort(), [
    "GET /slow?a",
    "POST /slow?b",
  ]);
  assert.ok((found[0]?.age ?? 0) >= (found[1]?.age ?? 0));
  const pids = (await get<WorkerReport[]>("/workers")).map(({ pid }) => pid);
  for (const each of found) {
    assert.ok(pids.includes(each.pid));
    assert.match(each.id ?? "", /./);
  }
  await until("all are released", async () => {
    await ask(target, "/release");
    return (await get<InFlightReport[]>("/requests")).length === 0;
  });
  await Promise.all(slow);
});
