/** `tsgun why` through the built command: while the server runs, and when it is down. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import type { DeathReport, DeathStory } from "../../src/control/stats.ts";
import { RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";

async function why(folder: string, ...args: string[]): Promise<RunningCommand> {
  const command = new RunningCommand(["why", ...args], { cwd: folder });
  await command.ended();
  return command;
}

function records(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".json"));
}

test("why tells of the last death, of one by pid, and lists them all, also when the server is down", async (context) => {
  const folder = temporaryFolder(context);
  const kept = join(folder, "records");
  const args = ["records/deaths.mjs", "-b", "127.0.0.1:0", "-w", "2", "-n", "shop"];
  const server = startCommand(context, [
    ...args,
    "--record-dir",
    kept,
    "--control-socket",
    join(folder, "c"),
  ]);
  await server.ready();
  const url = `http://127.0.0.1:${await server.port()}`;
  await fetch(`${url}/exit7?order=1`).catch(() => {});
  const line = await server.line(/exited with code 7/);
  const pid = /pid: (\d+)/.exec(line)?.[1] as string;
  assert.match(line, new RegExp(`\\(see tsgun why ${pid} --record-dir ${kept}\\)$`));
  await until("it is recorded", () => records(kept).length === 1);

  await context.test("the last one", async () => {
    const { stdout, exit } = await why(folder, "--record-dir", kept);
    assert.equal(exit?.code, 0);
    const [fact, cause, advice] = stdout.split("\n");
    assert.equal(fact, `Worker ${pid} of shop was ended by its app, which called process.exit(7).`);
    assert.match(cause ?? "", /deaths\.mjs:\d+:\d+\), in the request GET \/exit7\?order=1\.$/);
    assert.match(advice ?? "", /^What to do: /);
    assert.match(stdout, /^requests in flight\n {2}GET \/exit7\?order=1 \(/m);
  });

  await context.test("a living worker, one that never was, and a word that is no pid", async () => {
    const [living = 0] = server.workers();
    const alive = await why(folder, String(living), "--record-dir", kept);
    assert.equal(alive.exit?.code, 1);
    assert.match(alive.stderr, /of shop has not ended: tsgun ctl stack \d+ shows what it does$/m);
    const unknown = await why(folder, "2", "--record-dir", kept);
    assert.equal(unknown.exit?.code, 1);
    const there = `there are ${pid} of shop \\(\\d+s ago\\); see tsgun why --list`;
    assert.match(unknown.stderr, new RegExp(`no record of a worker with the pid 2: ${there}$`, "m"));
    const word = await why(folder, "him", "--record-dir", kept);
    assert.equal(word.exit?.code, 2);
    assert.match(word.stderr, /^tsgun: him is not a pid: write tsgun why PID, or tsgun why last$/m);
  });

  await context.test("the control interface lists the records, and shows one", async () => {
    const socket = join(folder, "c");
    const { status, body } = await requestControl(socket, "GET", "/deaths");
    assert.equal(status, 200);
    const [death, ...more] = body as DeathReport[];
    assert.deepEqual(more, []);
    assert.equal(death?.pid, Number(pid));
    assert.equal(death?.headline, "was ended by its app, which called process.exit(7)");
    assert.deepEqual((await requestControl(socket, "GET", "/deaths")).body, body, "asked again");
    for (const name of [death?.id, pid]) {
      const found = (await requestControl(socket, "GET", `/deaths/${name}`)).body as DeathStory;
      assert.match(found.story, /^Worker \d+ of shop was ended by its app/);
      assert.equal(found.record.end.exitCode, 7);
    }
    assert.equal((await requestControl(socket, "GET", "/deaths/1")).status, 404);
  });

  await context.test("ordered ends are kept apart", async () => {
    await server.end();
    const problems = JSON.parse((await why(folder, "--list", "--json", "--record-dir", kept)).stdout);
    assert.deepEqual(
      problems.map(({ reason }: { reason: string }) => reason),
      ["crash"],
    );
    const { stdout } = await why(folder, "--all", "--record-dir", kept);
    assert.equal(stdout.split("\n").filter((row) => /\bstop\b.*a stop of the server$/.test(row)).length, 2);
  });

  await context.test("the server is down", async () => {
    const { stdout } = await why(folder, pid, "--json", "--record-dir", kept, "--name", "shop");
    const record = JSON.parse(stdout);
    assert.equal(record.end.exitCode, 7);
    assert.equal(record.requestsInFlight[0].target, "/exit7?order=1");
    const other = await why(folder, pid, "--record-dir", kept, "--name", "blog");
    assert.equal(other.exit?.code, 1);
  });

  await context.test("the folder and its files are the user's alone", () => {
    assert.equal(statSync(kept).mode & 0o777, 0o700);
    for (const name of readdirSync(kept)) assert.equal(statSync(join(kept, name)).mode & 0o777, 0o600);
  });
});

test("the configuration file names the folder, and an unsafe one is refused with a warning", async (context) => {
  const folder = temporaryFolder(context);
  const real = join(folder, "real");
  mkdirSync(real);
  symlinkSync(real, join(folder, "link"));
  const config = join(folder, "tsgun.config.json");
  writeFileSync(
    config,
    JSON.stringify({ recordDir: join(folder, "link"), name: "shop", bind: "127.0.0.1:0" }),
  );
  const control = join(folder, "c");
  const server = startCommand(context, ["records/deaths.mjs", "-c", config, "--control-socket", control]);
  await server.ready();
  const [first = 0, url = `http://127.0.0.1:${await server.port()}`] = server.workers() as [number];
  process.kill(first, "SIGKILL");
  await server.line(
    /No record of a worker's end could be written, so .*: .*link is a symbolic link: remove it/,
  );
  assert.equal((await fetch(url)).status, 200, "the server goes on");
  assert.deepEqual(readdirSync(real), []);
  await server.end();

  writeFileSync(config, JSON.stringify({ recordDir: real, name: "shop" }));
  const { stderr, exit } = await why(folder, "-c", config);
  assert.match(stderr, /^no worker has ended unasked: there is no such record in /m);
  assert.equal(exit?.code, 0);
  writeFileSync(join(real, "20260101T000000000Z-5-problem-shop.json"), "{}");
  assert.equal((await why(folder, "-c", config)).exit?.code, 0, "a file that is no record is passed over");
  writeFileSync(config, JSON.stringify({ recordDir: false }));
  assert.match((await why(folder, "-c", config)).stderr, /no records are kept$/m);
  assert.match((await why(folder, "--record-dir", "none-such")).stderr, /none-such does not exist/);
});
