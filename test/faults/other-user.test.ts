/** Another user of the machine, and an app of another user, against a server that root started. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { StatsReport } from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import { cleanUp, FIXTURES, isAlive, startCommand, temporaryFolder, until } from "../support/command.ts";
import { Examined } from "../support/examined.ts";
import { needsRoot, OTHER, READABLE, readableCheckout } from "../support/other-user.ts";

const SKIP = needsRoot();
const APP = join(READABLE, "test/fixtures/attacks/app.mjs");
const AS_OTHER = ["--user", `${OTHER.uid}`, "--group", `${OTHER.gid}`];
const TOKEN = "a-token-of-the-operator";

test("an app of another user cannot turn against its arbiter", { skip: SKIP }, async (context) => {
  const secrets = temporaryFolder(context);
  const [tokenFile, pidFile, records] = ["token", "app.pid", "records"].map((name) => join(secrets, name));
  writeFileSync(tokenFile as string, `${TOKEN}\n`, { mode: 0o600 });
  // The folder may be entered and read: what is in it protects itself.
  chmodSync(secrets, 0o755);
  const words = ["-w", "2", ...AS_OTHER, "--pid", pidFile, "--record-dir", records] as string[];
  const token = [
    "--admin-bind",
    `unix:${join(secrets, "admin.sock")}`,
    "--admin-token-file",
    tokenFile as string,
  ];
  const begun = new Examined(context, [...words, ...token], { prefix: readableCheckout() }, APP);
  chmodSync(begun.folder, 0o755);
  const server = await begun.ready();
  const { command } = server;
  const [pid = 0] = command.workers();
  process.kill(pid, "SIGKILL");
  await until("its end is recorded, and both workers are there", () => {
    return (
      existsSync(records as string) && command.workers().length === 2 && !command.workers().includes(pid)
    );
  });
  const workers = command.workers();
  const targets = {
    arbiter: command.pid,
    workers,
    control: server.socket,
    tokenFile,
    pidFile,
    records,
    token: TOKEN,
  };
  const { text } = await ask({ port: server.port }, "/attack", JSON.stringify(targets));
  const outcomes = Object.entries(JSON.parse(text) as Record<string, string>);
  assert.ok(outcomes.length > 20, text);
  assert.deepEqual(
    outcomes.filter(([, outcome]) => !/^(EPERM|EACCES|absent|failed)$/.test(outcome)),
    [],
  );

  // Workers must be able to write there: the figures are spoilt, and the server is not.
  for (const spoil of ["/scribble", "/truncate"]) {
    await ask({ port: server.port }, spoil).catch(() => {});
    await until(`it answers after ${spoil}`, async () => (await server.get("/")) !== "");
    const report = await server.report<StatsReport>("/stats");
    assert.equal(report.workers.length, 2);
    assert.equal((await server.reply("GET", "/metrics")).status, 200);
  }
  const before = command.workers();
  for (const pid of before) process.kill(pid, "SIGKILL");
  await until("both are replaced, and answer", async () => {
    const now = command.workers();
    return now.length === 2 && !now.some((pid) => before.includes(pid)) && (await server.get("/")) !== "";
  });
  command.kill("SIGHUP");
  await command.ready(2);
  assert.ok(isAlive(command.pid));
  assert.deepEqual(await command.end(), { code: 0, signal: null });
});

/** A folder in which another user may do anything, and a file that only root may. */
function strangersFolder(context: TestContext): { folder: string; victim: string; unharmed: () => void } {
  const closed = temporaryFolder(context);
  const victim = join(closed, "victim");
  writeFileSync(victim, "precious", { mode: 0o600 });
  const folder = temporaryFolder(context);
  chownSync(folder, OTHER.uid, OTHER.gid);
  chmodSync(folder, 0o777);
  const unharmed = (): void => {
    const { uid, gid, mode } = lstatSync(victim);
    assert.deepEqual(
      [readFileSync(victim, "utf8"), uid, gid, (mode & 0o7777).toString(8)],
      ["precious", 0, 0, "600"],
    );
  };
  return { folder, victim, unharmed };
}

/** Settings that name a file, and the name that is planted, if that is another. */
const PLANTED: readonly { readonly flags: readonly string[]; readonly serves: boolean }[] = [
  { flags: ["--error-logfile", "planted"], serves: false },
  { flags: ["--access-logfile", "planted"], serves: false },
  { flags: ["--error-logfile", "planted", "--daemon"], serves: false },
  { flags: ["--pid", "planted"], serves: false },
  { flags: ["-b", "unix:planted"], serves: false },
  { flags: ["--worker-bind", "unix:planted"], serves: false },
  { flags: ["--admin-bind", "unix:planted"], serves: false },
  { flags: ["--control-socket", "planted"], serves: true },
  { flags: ["--record-dir", "planted"], serves: true },
];

test("no file is written through another user's link, and the error names it", {
  skip: SKIP,
}, async (context) => {
  const { folder, victim, unharmed } = strangersFolder(context);
  const target = join(folder, "..", `not-there-${process.pid}`);
  cleanUp(context, () => rmSync(target, { force: true, recursive: true }));
  for (const to of [victim, target]) {
    await Promise.all(
      PLANTED.map(async ({ flags, serves }, index) => {
        const name = `planted-${index}${to === victim ? "" : "-dangling"}`;
        symlinkSync(to, join(folder, name));
        lchownSync(join(folder, name), OTHER.uid, OTHER.gid);
        const words = flags.map((flag) => flag.replace("planted", name));
        const bind = flags.includes("-b") ? [] : ["-b", "127.0.0.1:0"];
        const control = flags.includes("--control-socket") ? [] : ["--no-control-socket"];
        const command = startCommand(
          context,
          [join(FIXTURES, "pool/echo.mjs"), ...bind, ...control, ...words],
          {
            cwd: folder,
          },
        );
        if (serves) {
          await command.ready();
          process.kill(command.workers()[0] ?? 0, "SIGKILL");
          await command.line(new RegExp(name));
        } else assert.notEqual((await command.ended()).code, 0, `${flags}: ${command.stderr}`);
        assert.ok(command.stderr.includes(name), `${flags}: ${command.stderr}`);
        if (serves) await command.end();
        assert.ok(lstatSync(join(folder, name)).isSymbolicLink(), `${name} is left as it was`);
      }),
    );
    unharmed();
    assert.ok(!existsSync(target));
  }
});

/** Puts a link in the place of each new socket in a folder, as fast as it can. */
const SWAP = `
  const { lstatSync, readdirSync, renameSync, symlinkSync } = require("node:fs");
  const [folder, victim] = process.argv.slice(1);
  process.stdout.write("begun\\n");
  for (let taken = 0; ; ) {
    for (const name of readdirSync(folder)) {
      try {
        if (!lstatSync(folder + "/" + name).isSocket() || name.startsWith("taken")) continue;
        renameSync(folder + "/" + name, folder + "/taken-" + taken++);
        symlinkSync(victim, folder + "/" + name);
        process.stdout.write(name + "\\n");
      } catch {}
    }
  }
`;

test("a socket that is swapped for a link while it is bound gives nobody another file", {
  skip: SKIP,
}, async (context) => {
  const { folder, victim, unharmed } = strangersFolder(context);
  const swapper = spawn(process.execPath, ["-e", SWAP, folder, victim], {
    ...OTHER,
    stdio: ["ignore", "pipe", "inherit"],
    cwd: "/",
  });
  const ended = once(swapper, "exit");
  cleanUp(context, async () => {
    swapper.kill("SIGKILL");
    await ended;
  });
  let told = "";
  swapper.stdout.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  await until("it has begun", () => told !== "");
  for (let round = 0; round < 6; round++) {
    const words = [
      "-b",
      `unix:${join(folder, `app${round}`)}`,
      "--control-socket",
      join(folder, `c${round}`),
    ];
    const command = startCommand(context, [APP, "-w", "1", ...words, "--socket-mode", "666", ...AS_OTHER], {
      prefix: readableCheckout(),
    });
    await until("it serves or has ended", () => command.exit ?? command.lines(/Ready: /)[0]);
    await command.end("SIGKILL");
    unharmed();
  }
  assert.ok(told.split("\n").length > 3, `nothing was swapped: ${told}`);
});
