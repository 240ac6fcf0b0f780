import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { noPrivateSystemd, PrivateSystemd } from "../support/private-systemd.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const FIXTURES = join(ROOT, "test", "fixtures", "systemd");
const WATCHDOG_S = 2;

const SERVICE = `
[Unit]
DefaultDependencies=no
StartLimitIntervalSec=0

[Service]
Type=notify
WorkingDirectory=${ROOT}
ExecStart=${process.execPath} --import @oxc-node/core/register ${join(FIXTURES, "service.ts")}
ExecReload=kill -HUP $MAINPID
Restart=on-failure
RestartSec=100ms
WatchdogSec=${WATCHDOG_S}
`;

const TCP = "8000";
const UNIX = "/run/app.sock";
const ASK = `
  const socket = require("node:net").connect(process.argv[2]);
  socket.on("data", (data) => process.stdout.write(data)).on("error", () => {}).write(process.argv[1]);
`;

describe("under a real systemd", { skip: noPrivateSystemd() }, () => {
  let units = "";
  let system: PrivateSystemd;
  /** Sends a word from inside and returns the reply; empty if the connection ended without one. */
  const ask = (word: string, where: string): string => system.run(process.execPath, "-e", ASK, word, where);

  before(async () => {
    units = mkdtempSync(join(tmpdir(), "tsgun-units-"));
    cpSync(join(FIXTURES, "units"), units, { recursive: true });
    writeFileSync(join(units, "app.service"), SERVICE);
    system = await PrivateSystemd.boot(units, [ROOT, process.execPath]);
  });

  after(async () => {
    await system?.stop();
    rmSync(units, { recursive: true });
  });

  test("socket activation: the first connection starts the service, which gets its sockets and reports ready", () => {
    assert.equal(system.property("app.service", "ActiveState"), "inactive");
    assert.match(ask("tcp", TCP), /^web \d+ tcp$/);
    assert.match(ask("unix", UNIX), /^web \d+ unix$/);
    assert.equal(system.property("app.service", "ActiveState"), "active");
    assert.equal(system.property("app.service", "StatusText"), "serving 2 sockets");
  });

  test("reload: visible in the status, without a restart", async () => {
    const pid = system.property("app.service", "MainPID");
    system.run("systemctl", "reload", "app.service");
    await system.until(
      "the reload to be told",
      () => system.property("app.service", "StatusText") === "reloaded",
    );
    assert.equal(system.property("app.service", "ActiveState"), "active");
    assert.equal(system.property("app.service", "MainPID"), pid);
  });

  test("watchdog: a healthy service is left alone, a stuck one is restarted and serves again", async () => {
    const pid = system.property("app.service", "MainPID");
    const first = system.property("app.service", "WatchdogTimestampMonotonic");
    await system.until("three messages of the watchdog", () => {
      return Number(system.property("app.service", "WatchdogTimestampMonotonic")) - Number(first) > 4e6;
    });
    assert.equal(system.property("app.service", "MainPID"), pid);
    assert.equal(ask("block", TCP), "");
    await system.until("the restart", () => system.property("app.service", "NRestarts") === "1");
    assert.match(ask("again", TCP), /^web \d+ again$/);
    assert.notEqual(system.property("app.service", "MainPID"), pid);
  });

  test("stop: the service reports it and exits with 0", () => {
    system.run("systemctl", "stop", "app.socket", "app.service");
    assert.equal(system.property("app.service", "ActiveState"), "inactive");
    assert.equal(system.property("app.service", "Result"), "success");
    assert.equal(system.property("app.service", "StatusText"), "draining");
  });
});
