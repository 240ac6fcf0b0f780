/** Workers of another user (--user): what an operator asks still works, and files belong to whom they should. */
import assert from "node:assert/strict";
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StatsReport } from "../../src/control/stats.ts";
import { RunningCommand, until } from "../support/command.ts";
import { Examined } from "../support/examined.ts";
import { otherNodes } from "../support/other-nodes.ts";
import { needsRoot, OTHER, readableCheckout } from "../support/other-user.ts";

const MAPPED_PAGE = /\/tsgun-\d+-[0-9a-f]{16} \(deleted\)/;
const { uid: UID, gid: GID } = OTHER;

const WORDS = `-w 1 -n dropped --record-dir records --user ${UID} --group ${GID}`.split(" ");

test("workers of another user are counted, examined and recorded", { skip: needsRoot() }, async (context) => {
  const app = "/mnt/test/fixtures/fallback/app.mjs";
  const begun = new Examined(context, WORDS, { prefix: readableCheckout() }, app);
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
  const begun = new Examined(context, WORDS, { prefix: readableCheckout(), env }, app);
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

/** The kernel's facts of each thread of a process, by field. */
function statusOfThreads(pid: number): Record<string, string>[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    return Object.fromEntries(text.split("\n").map((line) => line.split(/:\s*/, 2) as [string, string]));
  });
}

for (const node of [process.execPath, ...otherNodes]) {
  test(`no thread of a worker keeps an id, a group or a capability, and none can gain one: ${node}`, {
    skip: needsRoot(),
  }, async (context) => {
    // As under systemd's NoNewPrivileges=: no program that a worker starts gains anything, not even sudo.
    const prefix = ["setpriv", "--no-new-privs", "--groups", "4,6", ...readableCheckout()];
    const app = "/mnt/test/fixtures/fallback/app.mjs";
    const words = [...WORDS, "--umask", "077"];
    const server = await new Examined(context, words, { prefix, node }, app).ready();
    const threads = statusOfThreads(server.worker());
    assert.ok(threads.length > 1, "it has threads");
    const none = "0000000000000000";
    for (const { Uid, Gid, Groups, CapPrm, CapEff, CapInh, CapAmb, NoNewPrivs, Umask } of threads) {
      assert.deepEqual(
        { Uid, Gid, Groups: Groups?.trim(), CapPrm, CapEff, CapInh, CapAmb, NoNewPrivs, Umask },
        {
          Uid: Array(4).fill(UID).join("\t"),
          Gid: Array(4).fill(GID).join("\t"),
          Groups: `${GID}`,
          ...{ CapPrm: none, CapEff: none, CapInh: none, CapAmb: none, NoNewPrivs: "1", Umask: "0077" },
        },
      );
    }
    // No core is dumped of a process that was root, and no other of the same user may look into it.
    assert.equal(statSync(`/proc/${server.worker()}/environ`).uid, 0);
  });
}
