/** A socket of its own for each worker, through the built command. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { ask } from "../../support/ask.ts";
import {
  COMMAND,
  FIXTURES,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";
import { freePort, freePorts } from "../../support/free-port.ts";
import type { Target } from "../../support/load.ts";

const ECHO = join(FIXTURES, "pool", "echo.mjs");

/** The pid of the worker that responds. */
async function answerer(target: Target): Promise<number> {
  const { status, text } = await ask(target);
  assert.equal(status, 200);
  return Number(text.split(" ")[0]);
}

interface Served {
  readonly command: RunningCommand;
  readonly folder: string;
  /** The socket of a slot. */
  socket(slot: number): string;
  ctl(...args: string[]): Promise<string>;
}

/** Two workers on Unix sockets. */
async function served(context: TestContext, app = `${ECHO}:handler`): Promise<Served> {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, "run"));
  const control = join(folder, "ctl.sock");
  const command = startCommand(
    context,
    [
      ...[app, "-w", "2", "-b", "unix:run/app.sock", "--worker-bind", "unix:run/app-{slot}.sock"],
      ...["--socket-mode", "660", "--control-socket", control, "--admin-bind", "unix:run/admin.sock"],
    ],
    { cwd: folder },
  );
  await command.ready();
  const ctl = async (...args: string[]): Promise<string> => {
    const words = [COMMAND, "ctl", "--control-socket", control, ...args];
    return (await promisify(execFile)(process.execPath, words)).stdout;
  };
  return { command, folder, socket: (slot) => join(folder, "run", `app-${slot}.sock`), ctl };
}

/** Sends requests to a socket, one after the other, until it is stopped; rejects with the first that fails. */
function asking(path: string): { stop(): Promise<Set<number>> } {
  let isStopped = false;
  const answerers = new Set<number>();
  const asked = (async () => {
    while (!isStopped) answerers.add(await answerer({ path }));
    return answerers;
  })();
  asked.catch(() => {});
  return {
    stop: () => {
      isStopped = true;
      return asked;
    },
  };
}

test("each worker is reached by its own socket, which stays open while the worker is replaced", async (context) => {
  const { command, socket, ctl } = await served(context);
  assert.equal((lstatSync(socket(1)).mode & 0o777).toString(8), "660");
  const workers = JSON.parse(await ctl("workers", "--json")) as {
    pid: number;
    slot: number;
    address: string;
  }[];
  for (const { pid, slot, address } of workers) {
    assert.equal(address, `unix:run/app-${slot}.sock`);
    for (let time = 0; time < 5; time++) assert.equal(await answerer({ path: socket(slot) }), pid);
  }
  const [first, second] = [asking(socket(1)), asking(socket(2))];
  command.kill("SIGHUP");
  await command.ready(2);
  const killed = await answerer({ path: socket(2) });
  await ctl("restart", String(killed));
  command.kill("SIGUSR2");
  await command.line(/The previous arbiter .* has exited/);
  const [firsts, seconds] = [await first.stop(), await second.stop()];
  assert.ok(firsts.size >= 3 && seconds.size >= 4, `${firsts.size} and ${seconds.size} workers answered`);
  assert.deepEqual(
    [...firsts].filter((pid) => seconds.has(pid)),
    [],
  );
  const [last = 0] = command.arbiters().slice(-1);
  process.kill(last, "SIGTERM");
  await until("the files are removed", () => !existsSync(socket(1)) && !existsSync(socket(2)));
});

test("a worker more gets a socket, a worker less loses it", async (context) => {
  const { command, socket, ctl } = await served(context, join(FIXTURES, "servers", "express.cjs"));
  command.kill("SIGTTIN");
  await until("the third worker answers", async () => (await ask({ path: socket(3) })).status === 200);
  assert.match(await ctl("status"), /listening {2}unix:run\/app\.sock\n/);
  command.kill("SIGTTOU");
  await until("its socket is gone", () => !existsSync(socket(3)));
  await ctl("scale", "1");
  assert.ok(!existsSync(socket(2)));
  await ctl("scale", "3");
  for (const slot of [1, 2, 3]) assert.equal((await ask({ path: socket(slot) })).status, 200);
  command.kill("SIGHUP");
  await command.ready(2);
  // The configuration wants two.
  await until("the third is gone again", () => !existsSync(socket(3)));
  assert.equal((await command.end()).code, 0);
  assert.ok(![1, 2, 3].some((slot) => existsSync(socket(slot))));
});

test("a removed file makes the server unready, and a reload binds it again, though workers come and go meanwhile", async (context) => {
  const { command, folder, socket, ctl } = await served(context);
  const health = async (): Promise<string> =>
    (await ask({ path: join(folder, "run", "admin.sock") }, "/health/ready")).text;
  unlinkSync(socket(2));
  await command.line(/Clients cannot reach unix:run\/app-2\.sock: its file was removed/);
  assert.match(await health(), /"reason": "unix:run\/app-2\.sock: its file was removed"/);
  await ctl("scale", "3");
  await ctl("reload");
  const slots = await Promise.all([1, 2].map((slot) => answerer({ path: socket(slot) })));
  assert.equal(new Set(slots).size, 2);
  assert.match(await health(), /"ready": true/);
  assert.ok(!existsSync(socket(3)));
});

test("a range of ports: slot n has the nth, and there are no more workers than ports", async (context) => {
  const folder = temporaryFolder(context);
  const first = await freePorts(2);
  const config = join(folder, "tsgun.config.json");
  const write = (workers: number): void =>
    writeFileSync(
      config,
      JSON.stringify({ app: `${ECHO}:handler`, workers, workerBind: `127.0.0.1:${first}-${first + 1}` }),
    );
  write(2);
  const command = startCommand(context, ["-b", "127.0.0.1:0", "--control-socket", join(folder, "ctl.sock")], {
    cwd: folder,
  });
  await command.ready();
  assert.ok((await command.urls()).every((url) => !url.endsWith(`:${first}`)));
  const pids = await Promise.all([0, 1].map((index) => answerer({ host: "127.0.0.1", port: first + index })));
  assert.deepEqual(pids.sort(), command.workers().sort());
  const why = `worker-bind 127.0.0.1:${first}-${first + 1} has ports for 2 workers, not for 3`;
  command.kill("SIGTTIN");
  assert.ok((await command.line(/No worker added/)).endsWith(`No worker added: ${why}`));
  const words = [COMMAND, "ctl", "--control-socket", join(folder, "ctl.sock"), "scale", "3"];
  await assert.rejects(promisify(execFile)(process.execPath, words), (error: { stderr: string }) =>
    error.stderr.endsWith(`\n${why}\n`),
  );
  write(3);
  command.kill("SIGHUP");
  assert.ok(
    (await command.line(/Reload failed/)).endsWith(
      `Reload failed, generation 1 stays: ${why}: use a larger range`,
    ),
  );
  renameSync(config, join(folder, "other.json"));
  for (const args of [[], ["--check-config"]]) {
    const late = startCommand(
      context,
      ["-c", "other.json", "-b", "127.0.0.1:0", "--no-control-socket", ...args],
      { cwd: folder },
    );
    assert.equal((await late.ended()).code, 2);
    assert.match(late.stderr, new RegExp(`^tsgun: ${why}`, "m"));
  }
});

test("an address that is taken ends the start, and one of bind is named", async (context) => {
  const folder = temporaryFolder(context);
  const port = await freePort();
  const args = [`${ECHO}:handler`, "--no-control-socket", "-b", `127.0.0.1:${port}`];
  const command = startCommand(context, [...args, "--worker-bind", `127.0.0.1:${port}-${port}`], {
    cwd: folder,
  });
  assert.equal((await command.ended()).code, 1);
  assert.match(
    command.stderr,
    new RegExp(
      `cannot bind 127.0.0.1:${port}: worker-bind contains it too, 127.0.0.1:${port} has it already; change one of them`,
    ),
  );
  const lost = startCommand(context, [...args, "--worker-bind", "unix:none/{slot}.sock"], { cwd: folder });
  assert.equal((await lost.ended()).code, 1);
  assert.match(lost.stderr, /cannot bind unix:none\/1\.sock: there is no folder /);
});

test("a worker more waits for an address that is taken; an upgrade moves to other addresses", async (context) => {
  const folder = temporaryFolder(context);
  const first = await freePorts(3);
  const taken = createServer().listen(first + 2, "127.0.0.1");
  context.after(() => taken.close());
  await once(taken, "listening");
  const config = join(folder, "tsgun.config.json");
  const write = (workerBind?: string): void =>
    writeFileSync(config, JSON.stringify({ app: `${ECHO}:handler`, workers: 2, workerBind }));
  write(`127.0.0.1:${first}-${first + 2}`);
  const bind = ["-b", `unix:${join(folder, "app.sock")}`, "--no-control-socket"];
  const command = startCommand(context, bind, { cwd: folder });
  await command.ready();
  command.kill("SIGTTIN");
  await command.line(
    new RegExp(`Cannot bind 127.0.0.1:${first + 2}: the port is in use.*retrying every second`),
  );
  assert.equal(command.workers().length, 2);
  taken.close();
  await until("the third worker answers", () => answerer({ host: "127.0.0.1", port: first + 2 }));

  write("unix:{slot}.sock");
  const second = asking(join(folder, "app.sock"));
  command.kill("SIGUSR2");
  await command.line(/The previous arbiter .* has exited/);
  assert.ok((await answerer({ path: join(folder, "2.sock") })) > 0);
  for (const port of [first, first + 1, first + 2])
    await until("its port is closed", async () => {
      await assert.rejects(ask({ host: "127.0.0.1", port }), /ECONNREFUSED/);
      return true;
    });
  await second.stop();

  write();
  const [, upgraded = 0] = command.arbiters();
  process.kill(upgraded, "SIGUSR2");
  await command.line(/The previous arbiter .* has exited/, 2);
  await until(
    "the files are removed",
    () => ![1, 2].some((slot) => existsSync(join(folder, `${slot}.sock`))),
  );
});
