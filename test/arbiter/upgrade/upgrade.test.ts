/** The binary upgrade through the built command: automatic, manual, and each rollback. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../../support/ask.ts";
import { isAlive, type RunningCommand, startCommand, temporaryFolder, until } from "../../support/command.ts";
import { Releases } from "../../support/releases.ts";

/** Responds with its release and pid; `/slow` waits until the file `go` exists. */
function release(name: string): string {
  return `
    import { existsSync } from "node:fs";
    export const handler = async (request, respond) => {
      while (request.path === "/slow" && !existsSync("go")) await new Promise((done) => setTimeout(done, 10));
      respond(200, {}, "${name} " + process.ppid);
    };
  `;
}

const BOOTS_FOREVER = "await new Promise(() => setInterval(() => {}, 1000));";

class Stage {
  readonly folder: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly command: RunningCommand;

  static async start(context: TestContext, ...args: string[]): Promise<Stage> {
    const stage = new Stage(context, args);
    await stage.command.ready();
    return stage;
  }

  private constructor(context: TestContext, args: readonly string[]) {
    this.folder = temporaryFolder(context);
    this.socket = join(this.folder, "app.sock");
    this.pidFile = join(this.folder, "app.pid");
    this.deploy(release("one"));
    const words = ["app.mjs:handler", "-w", "2", "-b", "unix:app.sock", "--pid", "app.pid"];
    this.command = startCommand(context, [...words, ...args], { cwd: this.folder });
  }

  deploy(source: string): void {
    writeFileSync(join(this.folder, "app.mjs.new"), source);
    renameSync(join(this.folder, "app.mjs.new"), join(this.folder, "app.mjs"));
  }

  async ask(path = "/"): Promise<string> {
    return (await ask({ path: this.socket }, path)).text;
  }

  get old(): number {
    return this.command.pid;
  }

  /** The newest arbiter, once there is one beside the first. */
  async successor(nth = 1): Promise<number> {
    await this.command.line(/Upgrading: new arbiter with pid/, nth);
    return this.command.arbiters()[nth] as number;
  }

  /** Waits for the `nth` line that a process logs. */
  async says(pid: number, pattern: RegExp, nth = 1): Promise<string> {
    return await this.command.line(new RegExp(`\\[${pid}\\] .*${pattern.source}`), nth);
  }

  pidIn(file = this.pidFile): number | undefined {
    return existsSync(file) ? Number(readFileSync(file, "utf8")) : undefined;
  }

  /** The pids in the pid file and in the new arbiter's file beside it. */
  get pidsInFiles(): (number | undefined)[] {
    return [this.pidIn(), this.pidIn(`${this.pidFile}.2`)];
  }

  async gone(pid: number): Promise<void> {
    await until(`process ${pid} is gone`, () => !isAlive(pid));
  }

  /** Waits until the pid file names the new arbiter. */
  async inherited(next: number): Promise<void> {
    await until("the pid file names the new arbiter", () => this.pidIn() === next);
  }

  /** Drains the old arbiter's workers. */
  async winch(): Promise<void> {
    this.command.kill("SIGWINCH");
    await until("the old one has no workers", () => this.command.workers().length === 0);
  }

  /** Begins an upgrade that is not complete before the response to `/slow`, which waits for the file `go`. */
  async upgradeBehindSlow(): Promise<{ slow: Promise<string>; next: number }> {
    const slow = this.ask("/slow");
    await until("the request has arrived", async () => (await this.ask()).startsWith("one"));
    this.command.kill("SIGUSR2");
    const next = await this.successor();
    await this.says(this.old, /this one drains and quits/);
    return { slow, next };
  }

  /** Waits until this arbiter serves the control socket `app.ctl` and the health endpoint `health.sock`. */
  async ownsEndpoints(pid: number): Promise<void> {
    const [control, health] = ["app.ctl", "health.sock"].map((name) => ({ path: join(this.folder, name) }));
    await until(`the control socket is that of ${pid}`, async () => {
      const { text } = await ask(control as { path: string }, "/status");
      return (JSON.parse(text) as { pid: number }).pid === pid;
    });
    await until("the health endpoint responds", async () => {
      return (await ask(health as { path: string }, "/health/ready")).status === 200;
    });
  }

  /** Ends the server `pid`, and checks that it leaves nothing. */
  async end(pid: number): Promise<void> {
    const workers = this.command.workers(pid);
    process.kill(pid, "SIGTERM");
    const { code } = await this.command.ended();
    if (pid === this.old) assert.equal(code, 0);
    assert.deepEqual([...this.command.arbiters(), ...workers].filter(isAlive), []);
    assert.ok(!existsSync(this.socket), "the socket's file is left behind");
    assert.deepEqual(this.pidsInFiles, [undefined, undefined]);
  }
}

test("automatic: the new arbiter serves and the old one exits, twice", async (context) => {
  const stage = await Stage.start(context);
  let server = stage.old;
  for (const [index, name] of ["two", "three"].entries()) {
    stage.deploy(release(name));
    process.kill(server, "SIGUSR2");
    const next = await stage.successor(index + 1);
    await stage.gone(server);
    await stage.inherited(next);
    assert.deepEqual(stage.pidsInFiles, [next, undefined]);
    assert.equal(await stage.ask(), `${name} ${next}`);
    assert.equal(stage.command.workers(next).length, 2);
    await until(
      "it is the server",
      () => stage.command.lines(/previous arbiter .* has exited/).length > index,
    );
    server = next;
  }
  assert.deepEqual(stage.command.lines(/WARNING|ERROR/), []);
  await stage.end(server);
});

describe("a failed upgrade leaves everything as it was", () => {
  /** `config` applies to the failing release only: its tight limits would fail the others on a busy machine. */
  const failures: { what: string; source: string; config?: string; why: RegExp }[] = [
    {
      what: "throws at import",
      source: 'throw new Error("no licence");',
      why: /no licence/,
    },
    {
      what: "exits",
      source: "process.exit(7);",
      why: /the app called process\.exit\(7\) while it was loaded/,
    },
    {
      what: "hangs",
      source: BOOTS_FOREVER,
      config: '{ "bootTimeout": "3s" }',
      why: /a worker was not ready within 3s/,
    },
  ];
  for (const { what, source, config = "{}", why } of failures) {
    test(`an app that ${what}`, async (context) => {
      const stage = await Stage.start(context);
      const workers = stage.command.workers();
      const file = join(stage.folder, "tsgun.config.json");
      writeFileSync(file, config);
      stage.deploy(source);
      stage.command.kill("SIGUSR2");
      const failed = await stage.says(stage.old, /Upgrade failed, this arbiter continues to serve: /);
      assert.match(failed, why);
      const next = await stage.successor();
      assert.ok(!isAlive(next));
      assert.deepEqual(stage.command.workers(), workers);
      assert.deepEqual(stage.pidsInFiles, [stage.old, undefined]);
      assert.equal(await stage.ask(), `one ${stage.old}`);
      rmSync(file);
      stage.deploy(release("two"));
      stage.command.kill("SIGUSR2");
      const second = await stage.successor(2);
      await stage.gone(stage.old);
      assert.equal(await stage.ask(), `two ${second}`);
      await stage.end(second);
    });
  }

  test("a command that cannot start reports its own reason", async (context) => {
    const folder = temporaryFolder(context);
    const [release1, socket] = [join(folder, "release"), join(folder, "app.sock")];
    mkdirSync(release1);
    writeFileSync(join(release1, "app.mjs"), release("one"));
    const args = ["app.mjs:handler", "--chdir", release1, "-b", `unix:${socket}`];
    const command = startCommand(context, args, { cwd: folder });
    await command.ready();
    renameSync(release1, `${release1}.gone`);
    command.kill("SIGUSR2");
    const line = await command.line(/Upgrade failed/);
    assert.ok(
      line.endsWith(`continues to serve: chdir: cannot change to ${release1}: there is no such folder`),
      line,
    );
    assert.equal((await ask({ path: socket })).text, `one ${command.pid}`);
  });

  test("a new arbiter that is killed before it serves fails the upgrade", async (context) => {
    const stage = await Stage.start(context);
    stage.deploy(BOOTS_FOREVER);
    stage.command.kill("SIGUSR2");
    const next = await stage.successor();
    await stage.says(next, /Booting worker/);
    process.kill(next, "SIGKILL");
    const failed = await stage.says(stage.old, /Upgrade failed, this arbiter continues to serve: /);
    assert.match(failed, /the new arbiter was killed by SIGKILL$/);
    assert.equal(await stage.ask(), `one ${stage.old}`);
    assert.ok(existsSync(stage.socket));
    await stage.end(stage.old);
  });

  test("a new arbiter that dies while the old one drains: the old one starts its workers again", async (context) => {
    const stage = await Stage.start(context);
    const { slow, next } = await stage.upgradeBehindSlow();
    process.kill(next, "SIGKILL");
    await stage.says(stage.old, /Upgrade failed, this arbiter continues to serve/);
    await until("it serves again", async () => (await stage.ask()) === `one ${stage.old}`);
    writeFileSync(join(stage.folder, "go"), "");
    assert.equal(await slow, `one ${stage.old}`);
    await stage.end(stage.old);
  });
});

test("one upgrade at a time, whichever arbiter gets the signal", async (context) => {
  const stage = await Stage.start(context, "--upgrade-mode", "manual");
  stage.command.kill("SIGUSR2");
  const next = await stage.successor();
  stage.command.kill("SIGUSR2");
  await stage.says(
    stage.old,
    new RegExp(`Upgrade refused: an upgrade to the arbiter with pid ${next} is in progress`),
  );
  await stage.says(next, /Ready: generation 1/);
  process.kill(next, "SIGUSR2");
  await stage.says(next, new RegExp(`Upgrade refused: the previous arbiter, with pid ${stage.old}`));
  assert.equal(stage.command.arbiters().length, 2);
  stage.command.kill("SIGTERM");
  await stage.gone(stage.old);
  await stage.end(next);
});

describe("manual, with gunicorn's signals", () => {
  async function sideBySide(context: TestContext): Promise<{ stage: Stage; next: number }> {
    const stage = await Stage.start(context, "--upgrade-mode", "manual");
    stage.deploy(release("two"));
    stage.command.kill("SIGUSR2");
    const next = await stage.successor();
    await stage.says(stage.old, /New arbiter .* is ready, beside this one/);
    assert.deepEqual(stage.pidsInFiles, [stage.old, next]);
    return { stage, next };
  }

  test("WINCH drains the old arbiter's workers, QUIT ends it, the pid file moves", async (context) => {
    const { stage, next } = await sideBySide(context);
    await stage.winch();
    assert.ok(isAlive(stage.old));
    assert.equal(await stage.ask(), `two ${next}`);
    stage.command.kill("SIGQUIT");
    await stage.gone(stage.old);
    await stage.inherited(next);
    assert.equal(await stage.ask(), `two ${next}`);
    await stage.end(next);
  });

  test("rollback: HUP to the old arbiter, TERM to the new one", async (context) => {
    const { stage, next } = await sideBySide(context);
    await stage.winch();
    stage.deploy(release("one"));
    stage.command.kill("SIGHUP");
    await stage.says(stage.old, /Ready: generation 2/);
    process.kill(next, "SIGTERM");
    await stage.gone(next);
    await stage.says(stage.old, /New arbiter .* has ended: the new arbiter exited with code 0/);
    assert.deepEqual(stage.pidsInFiles, [stage.old, undefined]);
    assert.equal(await stage.ask(), `one ${stage.old}`);
    await stage.end(stage.old);
  });

  test("after the old arbiter was killed, the new one has the pid file and the socket", async (context) => {
    const { stage, next } = await sideBySide(context);
    stage.command.kill("SIGKILL");
    await stage.gone(stage.old);
    await stage.inherited(next);
    await until("only the new one answers", async () => (await stage.ask()) === `two ${next}`);
    await stage.end(next);
  });
});

describe("while the old arbiter drains, the new one is the server", () => {
  const ENDPOINTS = ["--admin-bind", "unix:health.sock", "--control-socket", "app.ctl"];

  test("HUP and USR1 to the old arbiter are forwarded, and no signal makes the old one serve again", async (context) => {
    const stage = await Stage.start(context, ...ENDPOINTS);
    const { slow, next } = await stage.upgradeBehindSlow();
    await stage.ownsEndpoints(next);
    stage.deploy(release("three"));
    for (const signal of ["SIGHUP", "SIGUSR1"] as const) {
      stage.command.kill(signal);
      await stage.says(next, new RegExp(`Handling signal: ${signal.slice(3).toLowerCase()}`));
    }
    await stage.says(next, /Ready: generation 2/);
    for (const signal of ["SIGTTIN", "SIGTTOU", "SIGWINCH", "SIGUSR2"] as const) {
      stage.command.kill(signal);
      await stage.says(stage.old, new RegExp(`Handling signal: ${signal.slice(3).toLowerCase()}`));
    }
    await stage.says(stage.old, new RegExp(`No worker added: .* for the new one \\(pid: ${next}\\)`));
    await stage.says(stage.old, /Upgrade refused: an upgrade to .* is in progress/);
    assert.equal(await stage.ask(), `three ${next}`);
    writeFileSync(join(stage.folder, "go"), "");
    assert.equal(await slow, `one ${stage.old}`);
    await stage.gone(stage.old);
    await stage.inherited(next);
    await stage.ownsEndpoints(next);
    assert.deepEqual(stage.command.lines(new RegExp(`\\[${stage.old}\\] .*Reloading`)), []);
    assert.equal(stage.command.workers(next).length, 2);
    assert.deepEqual(stage.command.arbiters().filter(isAlive), [next]);
    await stage.end(next);
  });

  test("QUIT ends the old arbiter, and the new one continues to serve", async (context) => {
    const stage = await Stage.start(context);
    const { slow, next } = await stage.upgradeBehindSlow();
    const cut = assert.rejects(slow);
    stage.command.kill("SIGQUIT");
    await cut;
    await stage.says(stage.old, new RegExp(`The new arbiter \\(pid: ${next}\\) is the server now`));
    await stage.inherited(next);
    assert.equal(await stage.ask(), `one ${next}`);
    await stage.end(next);
  });

  test("a stop through the control socket, which the new arbiter has by then, stops both", async (context) => {
    const stage = await Stage.start(context, ...ENDPOINTS);
    const { slow, next } = await stage.upgradeBehindSlow();
    await stage.ownsEndpoints(next);
    const { status } = await ask({ path: join(stage.folder, "app.ctl") }, "/stop", "");
    assert.equal(status, 200);
    await stage.gone(next);
    assert.ok(isAlive(stage.old), "the old arbiter does not finish its request");
    writeFileSync(join(stage.folder, "go"), "");
    assert.equal(await slow, `one ${stage.old}`);
    await stage.gone(stage.old);
    assert.deepEqual(stage.command.lines(/ERROR|is the server now/), []);
    assert.ok(!existsSync(stage.socket), "the socket's file is left behind");
  });

  test("a new arbiter that dies with a forwarded reload: the old one reloads", async (context) => {
    const stage = await Stage.start(context);
    const { slow, next } = await stage.upgradeBehindSlow();
    process.kill(next, "SIGSTOP");
    stage.command.kill("SIGHUP");
    await stage.says(stage.old, /Forwarded to the new arbiter .*: hup/);
    stage.deploy(release("three"));
    process.kill(next, "SIGKILL");
    // Keep the old arbiter busy, so that it does not exit before it learns of the new one's end.
    await stage.says(stage.old, /Reloading: generation 2/);
    writeFileSync(join(stage.folder, "go"), "");
    assert.equal(await slow, `one ${stage.old}`);
    await stage.says(stage.old, /Ready: generation 2 serves with 2 workers/);
    await until("it serves the new release", async () => (await stage.ask()) === `three ${stage.old}`);
    await stage.end(stage.old);
  });
});

test("requests made while the new arbiter boots are forwarded once it serves", async (context) => {
  const stage = await Stage.start(context, "--control-socket", "app.ctl");
  stage.deploy(`
    import * as fs from "node:fs";
    while (process.ppid !== ${stage.old} && !fs.existsSync("boot")) await new Promise((done) => setTimeout(done, 10));
    ${release("two")}
  `);
  stage.command.kill("SIGUSR2");
  const next = await stage.successor();
  await stage.says(next, /Booting worker/);
  const asked = ask({ path: join(stage.folder, "app.ctl") }, "/reload", "");
  stage.command.kill("SIGUSR1");
  assert.match((await asked).text, /generation 2 serves/);
  assert.equal(await stage.ask(), `two ${stage.old}`);
  stage.deploy(release("three"));
  writeFileSync(join(stage.folder, "boot"), "");
  await stage.says(next, /Handling signal: usr1/);
  await stage.says(next, /Ready: generation 2/);
  await stage.gone(stage.old);
  await until("the newest release answers", async () => (await stage.ask()) === `three ${next}`);
  assert.deepEqual(stage.command.lines(/WARNING|ERROR/), []);
  await stage.end(next);
});

test("a reload requested before the old arbiter drains does not undo the upgrade", async (context) => {
  const stage = await Stage.start(context, "--control-socket", "app.ctl");
  // Only the first of the old arbiter's new workers boots, so that its reload stays in progress.
  stage.deploy(`
    import { mkdirSync } from "node:fs";
    if (process.ppid === ${stage.old}) {
      try {
        mkdirSync("first");
      } catch {
        await new Promise(() => setInterval(() => {}, 1000));
      }
    }
    ${release("two")}
  `);
  stage.command.kill("SIGHUP");
  await stage.says(stage.old, /Using worker/, 2);
  const asked = ask({ path: join(stage.folder, "app.ctl") }, "/reload", "");
  stage.command.kill("SIGHUP");
  await stage.says(stage.old, /Handling signal: hup/, 2);
  stage.command.kill("SIGUSR2");
  const next = await stage.successor();
  await stage.gone(stage.old);
  const { status, text } = await asked;
  assert.equal(status, 409);
  const error = `meanwhile the server was upgraded: the arbiter with pid ${next} serves`;
  assert.deepEqual(JSON.parse(text), { ok: false, error });
  assert.equal(await stage.ask(), `two ${next}`);
  assert.deepEqual(stage.command.lines(/WARNING|ERROR/), []);
  await stage.end(next);
});

test("stopping the server stops the booting arbiter too", async (context) => {
  const stage = await Stage.start(context);
  stage.deploy(BOOTS_FOREVER);
  stage.command.kill("SIGUSR2");
  const next = await stage.successor();
  await stage.says(next, /Booting worker/);
  await stage.end(stage.old);
  assert.ok(!isAlive(next));
  assert.equal(stage.command.lines(/Upgrade aborted/).length, 1);
});

test("symbolic links are followed anew, to another release after the old one was deleted", async (context) => {
  const folder = temporaryFolder(context);
  const releases = new Releases(folder, release);
  const { current } = releases;
  const socket = join(folder, "app.sock");
  const args = ["app.mjs:handler", "-b", `unix:${socket}`];
  const command = startCommand(context, args, { cwd: current, env: { PWD: current } });
  await command.ready();
  releases.deploy();
  command.kill("SIGUSR2");
  await until("the old one is gone", () => !isAlive(command.pid));
  const next = command.arbiters()[1] as number;
  assert.equal((await ask({ path: socket })).text, `two ${next}`);
});
