/** Workers of another user (--user): what an operator asks still works, and files belong to whom they should. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats.ts";
import { RunningCommand, until } from "../support/command.ts";
import { Examined } from "../support/examined.ts";

const CHECKOUT = join(import.meta.dirname, "..", "..");
const MAPPED_PAGE = /\/tsgun-\d+-[0-9a-f]{16} \(deleted\)/;
const [UID, GID] = [12345, 54321];

function needsRoot(): string | false {
  if (process.getuid?.() !== 0) return "needs root: run the tests as root to see the real thing";
  const { status } = spawnSync("unshare", ["--mount", "true"]);
  return status === 0 ? false : "this machine does not allow new namespaces";
}

/** Runs the command from a place that every user may read. */
function readable(): string[] {
  const script = 'mount --bind "$0" /mnt; node=$1; shift 2; exec "$node" /mnt/dist/cli/main.js "$@"';
  return ["unshare", "--mount", "sh", "-ec", script, CHECKOUT];
}

const WORDS = `-w 1 -n dropped --record-dir records --user ${UID} --group ${GID}`.split(" ");

test("workers of another user are counted, examined and recorded", { skip: needsRoot() }, async (context) => {
  const app = "/mnt/test/fixtures/fallback/app.mjs";
  const begun = new Examined(context, WORDS, { prefix: readable() }, app);
  chmodSync(begun.folder, 0o755);
  const server = await begun.ready();
  const run = async (...args: string[]): Promise<string> => {
    const command = new RunningCommand(args, { cwd: server.folder });
    const { code } = await command.ended();
    assert.equal(code, 0, command.stderr);
    return command.stdout;
  };
  const ctl = (...args: string[]): Promise<string> => run("ctl", ...args, "--control-socket", server.socket);
  const pid = server.worker();
  assert.match(
    readFileSync(`/proc/${pid}/status`, "utf8"),
    new RegExp(`^Uid:\\t${UID}\\t${UID}\\t${UID}\\t${UID}$`, "m"),
  );

  for (let number = 0; number < 10; number++) await server.get("/");
  server.begin("/never?order=9");
  await until("all is counted, and the worker measures itself", async () => {
    const { totals, inFlight, workers } = await server.report<StatsReport>("/stats");
    return totals.requests === 10 && inFlight === 1 && workers[0]?.openDescriptors && workers[0]?.pssBytes;
  });
  await until("it maps its page", () => MAPPED_PAGE.test(readFileSync(`/proc/${pid}/maps`, "utf8")));
  const blocked = server.begin("/block?ms=3000");
  await until("the stack shows what blocks", async () =>
    (await ctl("stack", `${pid}`)).includes("at block ("),
  );
  await blocked;
  await ctl("profile", `${pid}`, "--seconds", "1");
  await ctl("heap", `${pid}`, "--yes");

  process.kill(pid, "SIGKILL");
  await server.command.line(/was killed by SIGKILL/);
  const records = join(server.folder, "records");
  const record = await until("it is recorded", () =>
    readdirSync(records).find((name) => name.includes(`-${pid}-`)),
  );
  assert.match(
    await run("why", `${pid}`, "--record-dir", records),
    /requests in flight\n.*GET \/never\?order=9/,
  );

  // All of these hold what only the operator may read, and the workers' user is not the operator.
  const own = readdirSync(server.folder).filter((name) => /\.(cpuprofile|heapsnapshot)$/.test(name));
  assert.equal(own.length, 2);
  const modes = [
    records,
    server.socket,
    join(records, record),
    ...own.map((name) => join(server.folder, name)),
  ];
  assert.deepEqual(
    modes.map((path) => [lstatSync(path).uid, (lstatSync(path).mode & 0o777).toString(8)]),
    [
      [0, "700"],
      [0, "600"],
      [0, "600"],
      [0, "600"],
      [0, "600"],
    ],
  );
});

test("an exhausted heap of another user's worker is told by its own report", {
  skip: needsRoot(),
}, async (context) => {
  const app = "/mnt/test/fixtures/records/deaths.mjs";
  const env = { NODE_OPTIONS: "--max-old-space-size=40" };
  const begun = new Examined(context, WORDS, { prefix: readable(), env }, app);
  chmodSync(begun.folder, 0o755);
  const server = await begun.ready();
  const pid = server.worker();
  server.begin("/heap").catch(() => {});
  await server.command.line(/Worker \(pid: \d+\) (was killed by SIGABRT|.*heap|.*memory)/);
  const records = join(server.folder, "records");
  await until("it is recorded", () => readdirSync(records).some((name) => name.includes(`-${pid}-`)));
  const told = new RunningCommand(["why", `${pid}`, "--record-dir", records], {});
  await told.ended();
  assert.match(told.stdout, /heap/);
  assert.equal(statSync(records).uid, 0);
});
