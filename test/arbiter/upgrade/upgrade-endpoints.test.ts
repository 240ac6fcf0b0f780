/** During an upgrade every request to the control socket and the health endpoint gets a response. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { requestControl } from "../../../src/control/control-client.ts";
import { ask } from "../../support/ask.ts";
import {
  cleanUp,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";

/** Sends requests continuously, each on its own connection. */
class Asker {
  asked = 0;
  readonly failures: string[] = [];
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(
    context: TestContext,
    question: () => Promise<{ status: number; body?: unknown; text?: string }>,
  ) {
    this.#done = this.#run(question);
    cleanUp(context, () => this.stop());
  }

  async #run(question: () => Promise<{ status: number; body?: unknown; text?: string }>): Promise<void> {
    while (!this.#stopped) {
      this.asked++;
      await question().then(
        ({ status, text }) => status === 200 || this.failures.push(`${status} ${text}`),
        (error: Error) => this.failures.push(String((error as NodeJS.ErrnoException).code ?? error)),
      );
      await pause(1);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

interface Stage {
  readonly command: RunningCommand;
  readonly app: string;
  readonly control: string;
  readonly askers: { readonly [endpoint: string]: Asker };
  /** Waits for the arbiter behind the control socket. */
  leadsTo(pid: number): Promise<void>;
  /** Stops the requests, and returns the failures. */
  failures(): Promise<{ [endpoint: string]: string[] }>;
}

async function start(context: TestContext, healthOn: "unix" | "tcp", ...args: string[]): Promise<Stage> {
  const folder = temporaryFolder(context);
  const adminBind = healthOn === "tcp" ? "127.0.0.1:0" : `unix:${join(folder, "h.sock")}`;
  const control = join(folder, "c.ctl");
  const app = join(folder, "a.sock");
  const words = ["-b", `unix:${app}`, "--control-socket", control];
  const command = startCommand(context, ["pool/echo.mjs", ...words, "--admin-bind", adminBind, ...args]);
  await command.ready();
  const healthAt =
    / Health at: (?:http:\/\/127\.0\.0\.1:|unix:)(.+)$/.exec(await command.line(/ Health at: /))?.[1] ?? "";
  const health = healthAt.startsWith("/") ? { path: healthAt } : { port: Number(healthAt) };
  await until("the control socket exists", () => existsSync(control));
  const askers = {
    control: new Asker(context, () => ask({ path: control }, "/status")),
    health: new Asker(context, () => ask(health, "/health/ready")),
    ctl: new Asker(context, () => requestControl(control, "GET", "/status")),
  };
  return {
    command,
    app,
    control,
    askers,
    leadsTo: async (pid) => {
      await until(`process ${pid} is asked`, async () => {
        const { body } = await requestControl(control, "GET", "/status");
        return (body as { pid: number }).pid === pid;
      });
    },
    failures: async () => {
      const found: { [endpoint: string]: string[] } = {};
      for (const [endpoint, asker] of Object.entries(askers)) {
        await asker.stop();
        assert.ok(asker.asked > 10, `${endpoint} was asked ${asker.asked} times`);
        found[endpoint] = asker.failures;
      }
      return found;
    },
  };
}

const NONE = { control: [], health: [], ctl: [] };

test("automatic upgrades, one after another", async (context) => {
  const { command, leadsTo, failures } = await start(context, "unix", "--linger", "0");
  let server = command.pid;
  for (let nth = 1; nth <= 3; nth++) {
    process.kill(server, "SIGUSR2");
    await command.line(/previous arbiter .* has exited/, nth);
    server = command.arbiters()[nth] as number;
    await leadsTo(server);
  }
  assert.deepEqual(await failures(), NONE);
  process.kill(server, "SIGTERM");
  await command.ended();
});

test("manual upgrades, in which the old arbiter stops before or with its workers", async (context) => {
  const { command, leadsTo, failures } = await start(context, "tcp", "--upgrade-mode", "manual");
  command.kill("SIGUSR2");
  await command.line(/is ready, beside this one/);
  const [old, second = 0] = command.arbiters();
  command.kill("SIGWINCH");
  await until("the old arbiter has no workers", () => command.workers(old).length === 0);
  command.kill("SIGQUIT");
  await command.line(/previous arbiter .* has exited/);
  await leadsTo(second);
  process.kill(second, "SIGUSR2");
  await command.line(/is ready, beside this one/, 2);
  const [, , third = 0] = command.arbiters();
  process.kill(second, "SIGTERM");
  await command.line(/previous arbiter .* has exited/, 2);
  await leadsTo(third);
  assert.deepEqual(await failures(), NONE);
  process.kill(third, "SIGTERM");
  await command.ended();
});

test("a command gets a response after the old arbiter's last worker has gone", async (context) => {
  const { command, control, failures } = await start(context, "unix", "--linger", "0");
  const late = connect(control).setEncoding("latin1");
  late.write("POST /reopen HTTP/1.1\r\nHost: a\r\n");
  await once(late, "connect");
  command.kill("SIGUSR2");
  await command.line(/this one drains and quits/);
  const [old = 0, next = 0] = command.arbiters();
  await until("the old arbiter has no workers", () => command.workers(old).length === 0);
  await pause(50);
  late.write("\r\n");
  let text = "";
  for await (const chunk of late) text += chunk;
  assert.match(text, /^HTTP\/1.1 409 [\s\S]*the new arbiter \(pid \d+\) is taking over: repeat the command/);
  assert.deepEqual(await failures(), NONE);
  process.kill(next, "SIGTERM");
  await command.ended();
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`a rollback: the new arbiter is ended by ${signal} while the old one drains`, async (context) => {
    const { command, app, control, leadsTo, failures } = await start(
      context,
      signal === "SIGTERM" ? "unix" : "tcp",
      "--graceful-timeout",
      "60s",
    );
    const held = ask({ path: app }, "/slow?60000").catch(() => undefined);
    await until("it is in hand", async () => {
      const workers = (await requestControl(control, "GET", "/workers")).body;
      return (workers as { connections: number }[]).some(({ connections }) => connections > 0);
    });
    command.kill("SIGUSR2");
    await command.line(/this one drains and quits/);
    const [old = 0, next = 0] = command.arbiters();
    await leadsTo(next);
    process.kill(next, signal);
    await until("the new arbiter is gone", () => !isAlive(next));
    await command.line(/Upgrade failed, this arbiter continues to serve/);
    await leadsTo(old);
    const { health, ctl } = await failures();
    // Until the old arbiter learns of its end, the control socket has no name: `tsgun ctl` tries again.
    assert.deepEqual(ctl, []);
    // There are no workers for a while, and killed workers lose the connections they had accepted; none is refused.
    const unanswered = health?.filter((failure) => !failure.startsWith("503"));
    if (signal === "SIGTERM") assert.deepEqual(unanswered, []);
    else
      assert.ok(
        unanswered?.every((failure) => failure === "ECONNRESET"),
        unanswered?.join(),
      );
    command.kill("SIGQUIT");
    await held;
  });
}

test("the default control socket is named after its server, and those of dead servers are removed", async (context) => {
  const folder = temporaryFolder(context);
  const env = { XDG_RUNTIME_DIR: folder, RUNTIME_DIRECTORY: "" };
  const names = (): string[] => readdirSync(join(folder, "tsgun")).sort();
  const killed = startCommand(context, ["pool/echo.mjs", "-b", "127.0.0.1:0"], { env });
  await killed.ready();
  await until("the control socket exists", () => names().length === 1);
  await killed.end("SIGKILL");
  assert.deepEqual(names(), [`tsgun-${killed.pid}.ctl`]);
  const command = startCommand(context, ["pool/echo.mjs", "-b", "127.0.0.1:0"], { env });
  await command.ready();
  await until("only the new socket is left", () => names().join() === `tsgun-${command.pid}.ctl`);
  command.kill("SIGUSR2");
  await command.line(/previous arbiter .* has exited/);
  const next = command.arbiters()[1] as number;
  assert.deepEqual(names(), [`tsgun-${next}.ctl`]);
  const { body } = await requestControl(join(folder, "tsgun", names()[0] as string), "GET", "/status");
  assert.equal((body as { pid: number }).pid, next);
  process.kill(next, "SIGTERM");
  await command.ended();
  assert.deepEqual(names(), []);
});
