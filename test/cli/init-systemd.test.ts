/** The files that `tsgun init` writes for systemd and nginx, unchanged, under a real systemd and a real nginx. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { StatsReport, WorkerStats } from "../../src/control/stats.ts";
import { COMMAND } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { fillProject, initialise } from "../support/init.ts";
import { noPrivateSystemd, PrivateSystemd } from "../support/private-systemd.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** Where the folder of units is seen inside. */
const INSIDE = "/units";

const APP = `
import type { Handler } from "tsgun";
import { writeFileSync } from "node:fs";

function tried(file: string): string {
  try {
    writeFileSync(file, "");
    return "written";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "";
  }
}

export const handler: Handler = (request, respond) => {
  const written = [process.env.STATE_DIRECTORY + "/x", "/usr/x", import.meta.dirname + "/x"].map(tried);
  const user = process.getuid?.();
  const { scheme, host, remote } = request;
  const answer = { scheme, host, remote: remote?.address, written, user, pid: process.ppid };
  respond(200, { "content-type": "application/json" }, JSON.stringify(answer));
};
`;

/** Files of a distribution that the private systemd lacks: the order at boot, and a place for node. */
const DROP_IN = `
[Unit]
DefaultDependencies=no

[Service]
Environment=PATH=${dirname(process.execPath)}:/usr/bin:/bin
# tsgun itself lies where this repository does.
ProtectHome=no
BindReadOnlyPaths=${ROOT} ${dirname(process.execPath)}
# The private systemd may not make devices.
PrivateDevices=no
StandardError=append:/run/shop.log
`;

const TARGET = `
[Unit]
DefaultDependencies=no
Wants=shop.socket nginx.service
`;

const NGINX = `
[Unit]
DefaultDependencies=no
After=shop.socket

[Service]
Type=exec
ExecStart=/usr/sbin/nginx -e /dev/stderr -c ${INSIDE}/nginx.conf
`;

const NGINX_CONF = `
user www-data;
daemon off;
pid /run/nginx.pid;
error_log /dev/stderr;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/client;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  include ${INSIDE}/app/deploy/nginx/shop.conf;
}
`;

const ASK = `
  const options = { headers: { host: "shop.example.com", "x-forwarded-host": "made-up.example.com" } };
  require("node:http").get("http://127.0.0.1/", options, (answer) => answer.pipe(process.stdout));
`;

interface Answer {
  readonly scheme: string;
  readonly host: string;
  readonly remote: string;
  readonly written: readonly string[];
  readonly user: number;
  readonly pid: number;
}

const reason = noPrivateSystemd() || missing("nginx");

describe("the written units and site", { skip: reason }, () => {
  let units = "";
  let system: PrivateSystemd;

  const ask = (): Answer => JSON.parse(system.run(process.execPath, "-e", ASK)) as Answer;
  const property = (name: string): string => system.property("shop.service", name);

  /** A failed wait shows what the service wrote. */
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    try {
      await system.until(what, holds);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${system.run("cat", "/run/shop.log")}`);
    }
  };

  before(async () => {
    units = mkdtempSync(join(tmpdir(), "tsgun-init-"));
    chmodSync(units, 0o755);
    const app = join(units, "app");
    fillProject(app, { "package.json": JSON.stringify({ name: "shop", type: "module" }), "app.ts": APP });
    const words = ["config", "systemd", "nginx", "--domain", "shop.example.com", "--folder", `${INSIDE}/app`];
    const { status, stderr } = initialise(app, ...words);
    assert.equal(status, 0, stderr);
    cpSync(join(app, "deploy", "systemd"), units, { recursive: true });
    const files = {
      "test.target": TARGET,
      "nginx.service": NGINX,
      "nginx.conf": NGINX_CONF,
      "shop.service.d/test.conf": DROP_IN,
      "shop.socket.d/test.conf": "[Unit]\nDefaultDependencies=no\n",
    };
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(units, name)), { recursive: true });
      writeFileSync(join(units, name), text);
    }
    system = await PrivateSystemd.boot(units, [ROOT, process.execPath]);
  });

  after(async () => {
    await system?.stop();
    rmSync(units, { recursive: true, force: true });
  });

  test("the first request through nginx starts the service and is answered", async () => {
    await until("nginx to be there", () => system.property("nginx.service", "ActiveState") === "active");
    let answer: Answer | undefined;
    await until("an answer", () => {
      answer = ask();
      return true;
    });
    assert.deepEqual(
      [answer?.scheme, answer?.host, answer?.remote],
      ["http", "shop.example.com", "127.0.0.1"],
    );
    await until("it says that it is ready", () => property("ActiveState") === "active");
    assert.equal(property("MainPID"), String(answer?.pid));
  });

  test("the service's user may write only its state", () => {
    const { written, user } = ask();
    assert.deepEqual(written, ["written", "EROFS", "EROFS"]);
    assert.ok(user >= 61184 && user <= 65519, `${user} is no dynamic user`);
  });

  test("systemd rates what it leaves open at 1.5 of 10", () => {
    // Without the drop-in beside it, which opens what the private systemd lacks.
    const folder = mkdtempSync(join(tmpdir(), "tsgun-unit-"));
    const service = join(folder, "shop.service");
    cpSync(join(units, "shop.service"), service);
    const { status, stdout, stderr } = spawnSync(
      "systemd-analyze",
      ["security", "--offline=true", "--no-pager", "--threshold=15", service],
      { encoding: "utf8" },
    );
    rmSync(folder, { recursive: true });
    assert.equal(
      status,
      0,
      stdout
        .split("\n")
        .filter((line) => line.startsWith("✗"))
        .join("\n") + stderr,
    );
    assert.match(stdout, /Overall exposure level for shop\.service: [01]\.\d/);
  });

  test("only nginx's group may connect", () => {
    assert.match(system.run("stat", "-c", "%a %U %G", "/run/shop.sock"), /^660 root www-data$/);
  });

  test("reload: a new generation under the same arbiter", async () => {
    const pid = property("MainPID");
    system.run("systemctl", "reload", "shop.service");
    await until("the reload to be told", () => /generation 2$/.test(property("StatusText")));
    assert.equal(String(ask().pid), pid);
    assert.equal(property("NRestarts"), "0");
  });

  test("root examines a worker, and finds out why it was killed, despite the protections", async () => {
    const control = `/run/shop/tsgun-${property("MainPID")}.ctl`;
    assert.match(system.run("stat", "-c", "%a %U", control), /^600 shop$/);
    const tsgun = (...words: string[]): string => system.run(process.execPath, COMMAND, ...words);
    const ctl = (...words: string[]): string => tsgun("ctl", ...words, "--control-socket", control);
    const [worker] = JSON.parse(ctl("workers", "--json")) as WorkerStats[];
    const pid = String(worker?.pid);
    assert.match(ctl("stack", pid), /^worker \d+ \(slot 1\) is idle/);
    ctl("profile", pid, "--seconds", "1", "-o", "/tmp/shop.cpuprofile");
    ctl("heap", pid, "--yes", "-o", "/tmp/shop.heapsnapshot");
    const files = system.run("stat", "-c", "%a %U", "/tmp/shop.cpuprofile", "/tmp/shop.heapsnapshot");
    assert.equal(files, "600 root\n600 root");
    // The file that the workers share, and all else in /dev/shm, has no name.
    assert.equal(system.run("ls", "/dev/shm"), "");

    const requests = (): number => (JSON.parse(ctl("stats", "--json")) as StatsReport).totals.requests;
    const before = requests();
    ask();
    await until("the request is counted", () => requests() === before + 1);
    system.run("kill", "-9", pid);
    await until("it is recorded", () =>
      /SIGKILL, which tsgun did not send/.test(tsgun("why", pid, "-n", "shop")),
    );
    // As the unit says, wherever the records are.
    assert.match(
      tsgun("why", pid, "--record-dir", "/var/lib/shop/records"),
      /SIGKILL, which tsgun did not send/,
    );
    assert.match(system.run("ls", "/var/lib/shop/records"), new RegExp(`-${pid}-`));
    assert.equal(system.run("stat", "-c", "%a %U", "/var/lib/shop/records"), "700 shop");
    assert.equal(requests(), before + 1);
  });

  test("the watchdog is notified, and a stop is timely and clean", async () => {
    assert.notEqual(property("WatchdogTimestampMonotonic"), "0");
    system.run("systemctl", "stop", "shop.service");
    assert.equal(property("Result"), "success");
    assert.equal(property("ExecMainStatus"), "0");
  });

  test("the socket outlives the service: the next request starts it again", async () => {
    const { pid } = ask();
    await until("it is the main process", () => property("MainPID") === String(pid));
  });
});
