/** The built command under a real systemd: socket activation, reload, upgrade, watchdog, stop. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { COMMAND, FIXTURES } from "../support/command.ts";
import { noPrivateSystemd, PrivateSystemd } from "../support/private-systemd.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const WATCHDOG_S = 2;
const CONTROL = "/run/app.ctl";

const UNITS = {
  "test.target": `
[Unit]
DefaultDependencies=no
Wants=app.socket plain.service
`,
  "app.socket": `
[Unit]
DefaultDependencies=no

[Socket]
ListenStream=127.0.0.1:8000
ListenStream=[::1]:8001
ListenStream=/run/app.sock
`,
  "app.service": `
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0

[Service]
Type=notify
WorkingDirectory=${FIXTURES}/pool
ExecStart=${process.execPath} ${COMMAND} echo.mjs:handler --workers 2 --bind 127.0.0.1:1 --control-socket ${CONTROL}
ExecReload=kill -HUP $MAINPID
Restart=on-failure
RestartSec=100ms
WatchdogSec=${WATCHDOG_S}
`,
  "plain.service": `
[Unit]
DefaultDependencies=no

[Service]
Type=notify
WorkingDirectory=${FIXTURES}/pool
ExecStart=${process.execPath} ${COMMAND} exits.mjs --bind 127.0.0.1:8002
`,
};

const ASK = `
  const [url, socketPath] = process.argv.slice(1);
  require("node:http").get(url, { ...(socketPath && { socketPath }) }, (answer) => answer.pipe(process.stdout));
`;

describe("tsgun under a real systemd", { skip: noPrivateSystemd() }, () => {
  let units = "";
  let system: PrivateSystemd;

  /** The pid of the worker that responds. */
  const ask = (url: string, path = ""): number => {
    const text = system.run(process.execPath, "-e", ASK, url, path);
    assert.match(text, /^\d+$/);
    return Number(text);
  };
  const property = (name: string): string => system.property("app.service", name);
  const parentOf = (pid: number): string => system.run("ps", "-o", "ppid=", "-p", `${pid}`).trim();
  const serving = (generation: number): string => `2 of 2 workers ready, generation ${generation}`;

  before(async () => {
    units = mkdtempSync(join(tmpdir(), "tsgun-units-"));
    for (const [name, text] of Object.entries(UNITS)) writeFileSync(join(units, name), text);
    system = await PrivateSystemd.boot(units, [ROOT, process.execPath]);
  });

  after(async () => {
    await system?.stop();
    rmSync(units, { recursive: true });
  });

  test("socket activation: the first connection starts it, on all sockets that systemd bound", async () => {
    assert.equal(property("ActiveState"), "inactive");
    const worker = ask("http://127.0.0.1:8000/");
    await system.until("it is ready", () => property("ActiveState") === "active");
    assert.equal(property("StatusText"), serving(1));
    assert.equal(parentOf(worker), property("MainPID"));
    for (const other of [ask("http://[::1]:8001/"), ask("http://x/", "/run/app.sock")]) {
      assert.equal(parentOf(other), property("MainPID"));
    }
    const status = JSON.parse(
      system.run(process.execPath, COMMAND, "ctl", "--control-socket", CONTROL, "--json", "status"),
    ) as { listening: string[] };
    assert.deepEqual(status.listening, ["http://127.0.0.1:8000", "http://[::1]:8001", "unix:/run/app.sock"]);
  });

  test("an app that does not boot fails the start, with gunicorn's exit code", async () => {
    const failed = (): boolean => system.property("plain.service", "ActiveState") === "failed";
    await system.until("the start has failed", failed);
    assert.equal(system.property("plain.service", "ExecMainStatus"), "4");
  });

  test("reload: a new generation, visible in the status", async () => {
    const pid = property("MainPID");
    const worker = ask("http://127.0.0.1:8000/");
    system.run("systemctl", "reload", "app.service");
    await system.until("the status shows the reload", () => property("StatusText") === serving(2));
    assert.equal(property("ActiveState"), "active");
    assert.equal(property("MainPID"), pid);
    await system.until("another worker responds", () => ask("http://127.0.0.1:8000/") !== worker);
  });

  test("a dead worker is missing in the status until it is replaced", async () => {
    const worker = ask("http://127.0.0.1:8000/");
    system.run("kill", "-KILL", `${worker}`);
    await system.until("the status is complete", () => {
      return ask("http://127.0.0.1:8000/") !== worker && property("StatusText") === serving(2);
    });
  });

  test("upgrade: systemd follows the new arbiter, and watches it from then on", async () => {
    const old = property("MainPID");
    system.run("systemctl", "kill", "--kill-whom=main", "--signal=USR2", "app.service");
    await system.until("there is a new main process", () => property("MainPID") !== old);
    const pid = property("MainPID");
    await system.until("it is ready", () => property("StatusText") === serving(1));
    await system.until("the old one is gone", () => parentOf(Number(pid)) === "1");
    assert.equal(parentOf(ask("http://x/", "/run/app.sock")), pid);
    const first = property("WatchdogTimestampMonotonic");
    await system.until("the new arbiter has sent watchdog messages for longer than the interval", () => {
      return Number(property("WatchdogTimestampMonotonic")) - Number(first) > WATCHDOG_S * 2e6;
    });
    assert.deepEqual([property("MainPID"), property("NRestarts")], [pid, "0"]);
  });

  test("watchdog: an arbiter whose loop is stuck is restarted, and serves on the same sockets", async () => {
    const pid = property("MainPID");
    system.run("kill", "-STOP", pid);
    await system.until("the restart", () => property("NRestarts") === "1");
    await system.until("it serves", () => property("StatusText") === serving(1));
    assert.notEqual(property("MainPID"), pid);
    assert.equal(parentOf(ask("http://127.0.0.1:8000/")), property("MainPID"));
  });

  test("stop: the service reports it and exits with 0; systemd keeps the sockets", async () => {
    system.run("systemctl", "stop", "app.service");
    assert.equal(property("Result"), "success");
    assert.match(property("StatusText"), /^stopping, \d workers left$/);
    assert.equal(system.property("app.socket", "ActiveState"), "active");
    ask("http://x/", "/run/app.sock");
    await system.until("it is started again", () => property("ActiveState") === "active");
    system.run("systemctl", "stop", "app.socket", "app.service");
  });
});
