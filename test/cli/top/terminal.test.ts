/** `tsgun top` in a real terminal, on a control socket whose answers are known. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { COMMAND, childrenOf, temporaryFolder, until } from "../../support/command.ts";
import { missing } from "../../support/component.ts";
import { type FakeControl, fakeControl } from "../../support/fake-control.ts";
import { historySample, ofNow, REQUESTS_SAMPLE, statsSample } from "../../support/stats-sample.ts";
import { Tmux } from "../../support/tmux.ts";

const noTmux = missing("tmux");

/** The last line of the screen that is not empty. */
const PROMPT = /[$#]\n*$/;

interface Stage {
  readonly folder: string;
  readonly fake: FakeControl;
  readonly tmux: Tmux;
  /** Types the command; resolves when the table is there. */
  start(options?: string): Promise<void>;
}

async function control(context: TestContext): Promise<{ folder: string; fake: FakeControl }> {
  const folder = temporaryFolder(context);
  const stats = ofNow(statsSample());
  const fake = await fakeControl(context, join(folder, "c.ctl"), {
    "GET /status": stats.server,
    "GET /stats": stats,
    "GET /history": historySample(),
    "GET /requests": REQUESTS_SAMPLE,
    "POST /scale": { ok: true, message: "5 workers are ready" },
    "POST /reload": () => ({ status: 409, body: { ok: false, error: "the app throws: no database" } }),
    "POST /workers/4713/restart": { ok: true, message: "worker 9000 has replaced 4713" },
  });
  return { folder, fake };
}

async function stage(context: TestContext, size: [number, number]): Promise<Stage> {
  const { folder, fake } = await control(context);
  const tmux = new Tmux(context, folder, size);
  await tmux.shows(PROMPT);
  return {
    folder,
    fake,
    tmux,
    async start(options = "") {
      tmux.type(`${process.execPath} ${COMMAND} top --control-socket c.ctl ${options}`);
      await tmux.shows(/SLOT +PID/);
    },
  };
}

/** Without the bars, which grow with each second. */
function still(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/(?<=req\/s ).{12}/, "BARS"));
}

function golden(name: string): string[] {
  const text = readFileSync(join(import.meta.dirname, "frames", `${name}.txt`), "utf8");
  return still(text.split("\n").slice(0, -1));
}

test("frames at three widths, resized while it runs; each key reaches the server", {
  skip: noTmux,
}, async (context) => {
  const { fake, tmux, start } = await stage(context, [150, 14]);
  await start();
  for (const columns of [150, 100, 60]) {
    tmux.resize(columns, 14);
    await until(`the frame is that of ${columns} columns`, () => {
      assert.deepEqual(still(tmux.lines()), golden(`table-${columns}`));
      return true;
    });
  }
  tmux.resize(120, 24);

  tmux.press("+");
  await tmux.shows(/^5 workers are ready$/m);
  tmux.press("Down", "r");
  await tmux.shows(/^restart worker 4713\? {2}y: yes/m);
  tmux.press("y");
  await tmux.shows(/^worker 9000 has replaced 4713$/m);
  tmux.press("-", "-");
  await tmux.shows(/from 4 down to 2 workers/);
  tmux.press("n");
  await tmux.shows(/^nothing was changed$/m);
  tmux.press("R");
  await tmux.shows(/^reload shop/m);
  tmux.press("y");
  await tmux.shows(/^reloading shop failed: the app throws: no database$/m);
  assert.deepEqual(fake.commands, [
    'POST /scale {"workers":5}',
    "POST /workers/4713/restart",
    "POST /reload",
  ]);

  tmux.press("i");
  await tmux.shows(/^ +1 +4713 +41s .* POST \/orders\?q=\?\[31mred$/m);
  tmux.press("Escape");
  tmux.press("?");
  await tmux.shows(/^Selected worker$/m);
  tmux.press("q");
  await tmux.shows(/SLOT +PID/);

  await fake.close();
  await tmux.shows(/^no answer for \d+s: no server listens at .*c\.ctl; looking for it$/m);
  await tmux.shows(/4712 +7 +ready/);
  await fake.open();
  await until("the figures are back", () => !/no answer/.test(tmux.lines().join("\n")));
});

test("the terminal is what it was after q, Ctrl-C, SIGTERM, SIGHUP, an exception and a stop", {
  skip: noTmux,
}, async (context) => {
  const { folder, tmux, start } = await stage(context, [100, 24]);
  const before = await tmux.output("stty -a");
  /** The pid of the command in the foreground. */
  const running = (): number => childrenOf(Number(tmux.ask("#{pane_pid}")))[0] as number;
  const check = async (what: string): Promise<void> => {
    await tmux.shows(PROMPT);
    assert.equal(tmux.ask("#{alternate_on} #{cursor_flag} #{wrap_flag}"), "0 1 1", what);
    assert.equal(await tmux.output("stty -a"), before, what);
  };
  const run = async (what: string, end: () => void): Promise<void> => {
    await start();
    assert.equal(tmux.ask("#{alternate_on} #{cursor_flag}"), "1 0", what);
    end();
    await check(what);
  };
  await run("q", () => tmux.press("q"));
  assert.equal((await tmux.output("echo $?")).trim(), "0");
  await run("Ctrl-C", () => tmux.press("C-c"));
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"] as const) {
    await run(signal, () => process.kill(running(), signal));
  }

  await start();
  tmux.press("C-z");
  await check("Ctrl-Z");
  tmux.type("fg");
  await tmux.shows(/SLOT +PID/);
  assert.equal(tmux.ask("#{alternate_on} #{cursor_flag}"), "1 0");
  process.kill(running(), "SIGTSTP");
  await check("SIGTSTP");
  tmux.type("fg");
  await tmux.shows(/SLOT +PID/);
  // Keys still arrive one by one.
  tmux.press("q");
  await check("q after fg");

  writeFileSync(
    join(folder, "fault.mjs"),
    'process.on("SIGUSR2", () => { throw new Error("a fault of ours"); });',
  );
  tmux.type("export NODE_OPTIONS=--import=./fault.mjs");
  await run("an exception", () => process.kill(running(), "SIGUSR2"));
  await tmux.shows(/^Error: a fault of ours$/m);
});

/** Starts a command in a terminal that nobody reads, presses Ctrl-L until it takes no more, and sends SIGTERM. */
const JAMMED = `
import os, pty, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while b"SLOT" not in seen:
    seen += os.read(terminal, 65536)
for _ in range(150):
    os.write(terminal, b"\\x0c")
    time.sleep(0.01)
os.kill(pid, signal.SIGTERM)
end = time.monotonic() + 20
while time.monotonic() < end:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        print("signal", os.WTERMSIG(status))
        sys.exit(0)
    time.sleep(0.01)
os.kill(pid, signal.SIGKILL)
print("hangs")
`;

test("a terminal that takes nothing any more does not hold the process", {
  skip: missing("python3"),
}, async (context) => {
  const { folder } = await control(context);
  const args = ["-c", JAMMED, process.execPath, COMMAND, "top", "--control-socket", "c.ctl"];
  const env = { ...process.env, TERM: "xterm", COLUMNS: "", LC_ALL: "C.UTF-8" };
  const { stdout } = await promisify(execFile)("python3", args, { cwd: folder, env });
  assert.equal(stdout, "signal 15\n");
});
