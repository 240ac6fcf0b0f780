/**
 * A disk that fills up under the access log, the error log and the records of a running server: clients notice nothing,
 * each trouble is told once, and when there is room again the logs go on by themselves.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { StatsReport } from "../../src/control/stats.ts";
import { ask } from "../support/ask.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { noMounts } from "../support/mounts.ts";

const MOUNT = 'mount -t tmpfs -o size=24m,mode=700 tmpfs "$0" && exec "$@"';
/** A line is twenty times the request line, so that a few requests fill the 8 MiB that may wait. */
const FORMAT = `begin ${"%(r)s ".repeat(20)}end`;
const WHOLE = /^begin (GET \/\S* HTTP\/1\.1 ){20}end$/;

const PAGE = 4096;

class FullDisk {
  readonly command: RunningCommand;
  readonly #app: { readonly path: string };
  readonly #control: { readonly path: string };
  readonly #disk: string;

  constructor(context: TestContext) {
    const [disk, sockets] = [temporaryFolder(context), temporaryFolder(context)];
    this.#app = { path: join(sockets, "app.sock") };
    this.#control = { path: join(sockets, "control.sock") };
    const logs = ["--error-logfile", join(disk, "error.log"), "--access-logfile", join(disk, "access.log")];
    const places = ["-b", `unix:${this.#app.path}`, "--control-socket", this.#control.path];
    const words = [...places, ...logs, "--record-dir", join(disk, "records"), "--access-logformat", FORMAT];
    this.command = startCommand(context, [join(FIXTURES, "stats", "app.mjs"), ...words], {
      prefix: ["unshare", "--mount", "sh", "-c", MOUNT, disk],
    });
    // The file system is mounted for the server alone.
    this.#disk = join(`/proc/${this.command.pid}/root`, disk);
  }

  lines(name: "access.log" | "error.log"): string[] {
    return readFileSync(join(this.#disk, name), "utf8").split("\n");
  }

  errors(pattern: RegExp): string[] {
    return this.lines("error.log").filter((line) => pattern.test(line));
  }

  records(): number {
    return readdirSync(join(this.#disk, "records")).filter((name) => name.endsWith(".json")).length;
  }

  async ask(path: string): Promise<void> {
    assert.equal((await ask(this.#app, path)).status, 200, path);
  }

  /** Takes all room but what is left of the logs' last pages: less than a line in the error log. */
  fill(): void {
    const log = join(this.#disk, "error.log");
    const line = `[${new Date().toISOString()}] [1] [INFO] of the test `;
    const rest = 2 * PAGE - (statSync(log).size % PAGE) - line.length - 50;
    appendFileSync(log, `${line}${"x".repeat(rest)}\n`);
    const file = openSync(join(this.#disk, "fill"), "w");
    const zeros = Buffer.alloc(1 << 20);
    try {
      for (;;) writeSync(file, zeros);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    } finally {
      closeSync(file);
    }
  }

  makeRoom(): void {
    rmSync(join(this.#disk, "fill"));
  }

  /** Kills the worker and waits for the next one. */
  async killWorker(): Promise<void> {
    const [old] = this.command.workers();
    process.kill(old as number, "SIGKILL");
    await until("another worker serves", async () => {
      const { workers } = await this.stats();
      return workers.length === 1 && workers[0]?.pid !== old && workers[0]?.state === "ready";
    });
  }

  async stats(): Promise<StatsReport> {
    return JSON.parse((await ask(this.#control, "/stats")).text) as StatsReport;
  }
}

test("a full disk costs no request, is told once, and is left behind", {
  skip: noMounts("tmpfs"),
}, async (context) => {
  const disk = new FullDisk(context);
  await until("it serves", () => disk.errors(/Ready: generation 1 serves/).length === 1);
  await disk.ask("/before");
  disk.fill();

  // Until the last page of the log is full, within a line.
  for (let count = 0; count < 30; count++) await disk.ask("/full");
  await until("a line is cut off", () => disk.lines("access.log").at(-1) !== "");
  await disk.killWorker();
  await disk.killWorker();

  const waiting = 20;
  for (let count = 0; count < waiting; count++) await disk.ask("/waits");
  for (let count = 0; count < 160; count++) await disk.ask(`/${"x".repeat(3000)}`);
  const dropped = (await disk.stats()).totals.logLinesDropped;
  assert.ok(dropped > 0, "more than may wait has come");

  disk.makeRoom();
  const again = /The access log \S+ can be written again; lines dropped meanwhile: (\d+)/;
  const [told] = await until("the log is written again", () => {
    const found = disk.errors(again);
    return found.length > 0 && found;
  });
  assert.equal(Number(again.exec(told as string)?.[1]), dropped);
  await disk.ask("/after");
  await until("so are later lines", () => disk.lines("access.log").some((line) => line.includes("/after")));

  const lines = disk.lines("access.log").slice(0, -1);
  const broken = lines.filter((line) => !WHOLE.test(line));
  assert.equal(broken.length, 1, "the fragment of the worker that was killed");
  assert.ok("begin GET /full".startsWith((broken[0] as string).slice(0, 15)));
  assert.equal(lines.filter((line) => line.includes("/waits")).length, waiting);
  assert.equal(lines.filter((line) => line.includes("xxx")).length, 160 - dropped);

  await until(
    "the error log is written again",
    () => disk.errors(/The error log .* again; .*: 0$/).length > 0,
  );
  assert.equal(disk.errors(/No record of a worker's end could be written/).length, 1);
  const troubles = disk.errors(/The access log \S+ cannot be written \(ENOSPC\)/);
  const pids = troubles.map((line) => /\[(\d+)\]/.exec(line)?.[1]);
  assert.ok(troubles.length > 0);
  assert.equal(new Set(pids).size, troubles.length, "each process tells it once");
  for (const line of disk.lines("error.log").slice(0, -1)) assert.match(line, /^\[\d{4}-.*\] \[\d+\] \[/);

  const before = disk.records();
  await disk.killWorker();
  await until("a death is recorded again", () => disk.records() === before + 1);
});
