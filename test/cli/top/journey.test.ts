/** `tsgun top` in a real terminal, on a real server: each key and what it does there, a kill, a restart and an upgrade. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  COMMAND,
  childrenOf,
  cleanUp,
  FIXTURES,
  isAlive,
  type RunningCommand,
  startCommand,
  temporaryFolder,
  until,
} from "../../support/command.ts";
import { missing } from "../../support/component.ts";
import { Tmux } from "../../support/tmux.ts";

/** A name that no other server of this machine has. */
const NAME = `top-${process.pid}`;

interface Stage {
  readonly folder: string;
  readonly tmux: Tmux;
  /** Starts the server; resolves when it serves. */
  serve(): Promise<RunningCommand>;
  /** Selects a worker in the table. */
  select(pid: number): Promise<void>;
}

const app = readFileSync(join(FIXTURES, "control", "app.mjs"), "utf8");

function stage(context: TestContext): Stage {
  const folder = temporaryFolder(context);
  const runtime = join(folder, "run");
  mkdirSync(runtime);
  copyFileSync(join(FIXTURES, "control", "app.mjs"), join(folder, "app.mjs"));
  const tmux = new Tmux(context, folder, [150, 30], { XDG_RUNTIME_DIR: runtime });
  return {
    folder,
    tmux,
    async serve() {
      const args = [
        "app.mjs",
        "-n",
        NAME,
        "-w",
        "2",
        "-b",
        "127.0.0.1:0",
        "--record-dir",
        join(folder, "records"),
      ];
      const server = startCommand(context, args, { cwd: folder, env: { XDG_RUNTIME_DIR: runtime } });
      await server.ready();
      return server;
    },
    async select(pid) {
      tmux.press("g");
      await until(`worker ${pid} is selected`, () => {
        if (tmux.lines().some((line) => line.startsWith(`worker ${pid} `))) return true;
        tmux.press("j");
        return false;
      });
    },
  };
}

/** Sends requests one after the other until the test ends. */
function keepBusy(context: TestContext, url: string): void {
  let isOver = false;
  cleanUp(context, () => {
    isOver = true;
  });
  const next = (): void => {
    if (isOver) return;
    fetch(url, { signal: AbortSignal.timeout(1000) })
      .then((response) => response.text())
      .catch(() => {})
      .finally(() => setTimeout(next, 10));
  };
  next();
}

function headings(width: number): string {
  const golden = readFileSync(join(import.meta.dirname, "frames", `table-${width}.txt`), "utf8");
  return golden.split("\n").find((line) => line.startsWith("SLOT")) as string;
}

test("top on a real server", { skip: missing("tmux") }, async (context) => {
  const { folder, tmux, serve, select } = stage(context);
  const server = await serve();
  const url = `http://127.0.0.1:${await server.port()}`;
  keepBusy(context, url);
  tmux.type(`${process.execPath} ${COMMAND} top --name ${NAME}`);
  await tmux.shows(
    new RegExp(`^${NAME}  gen 1 \\(\\d+s\\)  2/2 ready  [1-9][\\d,.]* req/s .*[▂-█]  p50 \\d`, "m"),
  );
  const [first = 0, second = 0] = server.workers();
  for (const pid of [first, second]) await tmux.shows(new RegExp(` ${pid} +1 +ready `));
  await tmux.shows(/backlog 0\/\d+/);

  // A profile takes ten seconds, in which everything else goes on.
  await select(first);
  tmux.press("p");
  await tmux.shows(new RegExp(`^profiling worker ${first} for 10 s … \\d+s`, "m"));

  for (const width of [150, 100, 60]) {
    tmux.resize(width, 30);
    await until(`the columns are those of ${width}`, () => tmux.lines().includes(headings(width)));
  }
  tmux.resize(130, 30);

  tmux.press("+");
  await tmux.shows(/ 3\/3 ready /);
  assert.equal(server.workers().length, 3);
  tmux.press("-", "y");
  await tmux.shows(/ 2\/2 ready /);
  await until("the third worker has ended", () => server.workers().length === 2);

  tmux.press("i");
  const slow = fetch(`${url}/slow`);
  await tmux.shows(/^ +\d +\d+ +\d\S+ .*GET \/slow/m);
  tmux.press("Escape");
  const profile = await until("the profile is written", () =>
    readdirSync(folder).find((name) => name.startsWith(`tsgun-${first}-`) && name.endsWith(".cpuprofile")),
  );
  assert.ok(JSON.parse(readFileSync(join(folder, profile), "utf8")).nodes.length > 0);
  let held: string | undefined;
  slow.then(async (response) => {
    held = await response.text();
  }, assert.ifError);
  // A release reaches one of the two workers.
  await until("the slow request is answered", async () => {
    await fetch(`${url}/release`, { headers: { connection: "close" } }).then((response) => response.text());
    return held !== undefined;
  });

  await select(first);
  tmux.press("r");
  await tmux.shows(new RegExp(`^restart worker ${first}\\?`, "m"));
  tmux.press("y");
  await until("it is replaced", () => !server.workers().includes(first) && server.workers().length === 2);
  tmux.press("R", "y");
  await tmux.shows(new RegExp(`^${NAME}  (?:reloading  )?gen 2 [^]*last reload ok \\ds ago`, "m"));
  await until("the old workers have ended", () => !server.workers().includes(second));

  // Its stack while it blocks, and its story after it was killed.
  fetch(`${url}/block`).catch(() => {});
  const table2 = await tmux.shows(/^ +\d +\d+ +2 +stuck /m);
  const stuck = Number(/^ +\d +(\d+) +2 +stuck /m.exec(table2.join("\n"))?.[1]);
  await select(stuck);
  tmux.press("s");
  const line = app.split("\n").findIndex((text) => text.includes(`"/block"`)) + 1;
  await tmux.shows(
    new RegExp(
      `runs JavaScript, and its event loop has been blocked for .*:\\n +at handler \\(.*app\\.mjs:${line}:`,
    ),
  );
  tmux.press("Escape");
  process.kill(stuck, "SIGKILL");
  const killed = await tmux.shows(/ killed \d+s ago: was killed by SIGKILL/);
  const next = Number(/^ +\d +(\d+) .* killed \d+s ago/m.exec(killed.join("\n"))?.[1]);
  await select(next);
  tmux.press("w");
  await tmux.shows(new RegExp(`^Why worker ${stuck} ended[^]*^Worker ${stuck} of ${NAME} `, "m"));
  tmux.press("l");
  await tmux.shows(new RegExp(`arbiter .*: .*${stuck}`));
  tmux.press("Escape");

  // The list, and back into the server that one comes from.
  tmux.press("Escape");
  await tmux.shows(new RegExp(`servers? of this user[^]* ${server.pid} +${NAME} +serving`));
  tmux.press("Enter");
  await tmux.shows(/SLOT +PID/);

  server.kill("SIGKILL");
  await tmux.shows(/^no answer for \d+s: /m);
  const again = await serve();
  keepBusy(context, `http://127.0.0.1:${await again.port()}`);
  await until("it is found again", () => {
    const text = tmux.lines().join("\n");
    return !/no answer/.test(text) && again.workers().every((pid) => text.includes(` ${pid} `));
  });
  again.kill("SIGUSR2");
  await until("the new arbiter's workers are shown", () => {
    const later = again.arbiters()[1];
    const text = tmux.lines().join("\n");
    const pids = later === undefined ? [] : again.workers(later);
    return pids.length === 2 && pids.every((pid) => text.includes(` ${pid} `)) && !/no answer/.test(text);
  });
  const shell = Number(tmux.ask("#{pane_pid}"));
  tmux.press("q");
  await until("top has ended", () => childrenOf(shell).length === 0);
  // It ends by itself: killed, it could still record the end of a worker while the folder is removed.
  const [, later] = again.arbiters();
  if (later !== undefined) process.kill(later, "SIGQUIT");
  await until("the new arbiter has ended", () => later !== undefined && !isAlive(later));
});
