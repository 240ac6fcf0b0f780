/** Each setting has its effect, through the built command: a list of where that is tested, and the tests that are nowhere else. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import {
  SETTING_NAMES,
  type Setting,
  type SettingName,
  settingLabel,
  settings,
} from "../../src/config/settings.ts";
import { ask } from "../support/ask.ts";
import { cleanUp, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { APPS, head, raw } from "../support/logged-app.ts";

/** The test that starts the command with the setting and looks at what it does. */
const SHOWN: Record<SettingName, string> = {
  config: "cli/config-file",
  checkConfig: "arbiter/workers/preload",
  printConfig: "config/every-setting",
  app: "cli/config-file",
  interface: "config/effects",
  adopt: "worker/adopted-server",
  otherServers: "worker/adopted-server",
  preload: "arbiter/workers/preload",
  chdir: "cli/command",
  env: "system/process-state",
  envFile: "cli/env-file",
  bind: "arbiter/sockets/bind",
  workerBind: "arbiter/sockets/worker-bind",
  backlog: "config/effects",
  reusePort: "arbiter/sockets/reuse-port",
  socketMode: "arbiter/surroundings",
  socketOwner: "arbiter/surroundings",
  certfile: "worker/tls",
  keyfile: "worker/tls",
  keyfilePassword: "worker/tls",
  keyfilePasswordFile: "worker/tls",
  caCerts: "worker/tls",
  certReqs: "worker/tls",
  ciphers: "worker/tls",
  sslVersion: "worker/tls",
  forwardedAllowIps: "e2e/forwarded",
  forwardedHeaders: "e2e/forwarded",
  proxyProtocol: "server/front/proxy-command",
  proxyAllowFrom: "server/front/proxy-command",
  rootPath: "e2e/forwarded",
  httpProtocols: "worker/http2",
  http2Cleartext: "worker/http2",
  http2MaxConcurrentStreams: "worker/http2",
  http2InitialWindowSize: "worker/http2",
  http2MaxFrameSize: "worker/http2",
  http2MaxHeaderListSize: "worker/http2",
  workers: "cli/command",
  workerConnections: "server/worker-connections",
  maxRequests: "arbiter/pool/recycling",
  maxRequestsJitter: "arbiter/pool/recycling",
  maxMemory: "arbiter/pool/recycling",
  maxOldSpace: "arbiter/workers/heap-limit",
  maxLifetime: "arbiter/pool/recycling",
  maxLifetimeJitter: "arbiter/pool/recycling",
  reloadSurge: "faults/reload",
  crashLimit: "arbiter/workers/crashes",
  warmupPath: "control/ctl",
  daemon: "arbiter/upgrade/daemon",
  upgradeMode: "arbiter/upgrade/upgrade",
  name: "arbiter/surroundings",
  pid: "arbiter/surroundings",
  user: "arbiter/surroundings",
  group: "arbiter/surroundings",
  initgroups: "arbiter/surroundings",
  umask: "arbiter/surroundings",
  reload: "arbiter/reload/file-reload",
  reloadEngine: "arbiter/reload/file-watch",
  reloadExtraFile: "arbiter/reload/file-watch",
  showErrors: "server/error-page",
  limitRequestLine: "config/effects",
  limitRequestFields: "config/effects",
  limitRequestFieldSize: "config/effects",
  limitRequestBody: "config/effects",
  maxInFlight: "server/overload",
  maxQueue: "server/overload",
  queueTimeout: "server/overload",
  neverShed: "server/overload",
  keepAliveRequests: "server/keep-alive-requests",
  headerTimeout: "config/effects",
  bodyTimeout: "config/effects",
  bodyTotalTimeout: "config/effects",
  bodyMinRate: "config/effects",
  responseMinRate: "server/slow-readers",
  requestTimeout: "config/effects",
  keepAlive: "config/effects",
  timeout: "worker/timeout",
  bootTimeout: "arbiter/workers/boot-failure",
  gracefulTimeout: "arbiter/serve",
  drainDelay: "control/ctl",
  linger: "config/effects",
  controlSocket: "control/ctl",
  controlReadonlySocket: "control/readonly-socket",
  adminBind: "control/ctl",
  dashboard: "control/dashboard/admission",
  adminToken: "control/dashboard/admission",
  adminTokenFile: "control/dashboard/admission",
  recordDir: "records/why",
  adminCertfile: "control/admin-tls",
  adminKeyfile: "control/admin-tls",
  minReady: "control/ctl",
  metrics: "worker/scoreboard",
  appMetrics: "arbiter/stats/app-metrics",
  metricsCompat: "arbiter/stats/metrics",
  statsdHost: "e2e/statsd",
  statsdPrefix: "e2e/statsd",
  dogstatsdTags: "e2e/statsd",
  enableBacklogMetric: "e2e/statsd",
  accessLogfile: "log/access-file",
  accessLogformat: "log/access-file",
  errorLogfile: "arbiter/logs/log-file",
  logFormat: "arbiter/logs/error-log",
  logLevel: "cli/command",
  captureOutput: "worker/captured-output",
  disableRedirectAccessToSyslog: "arbiter/logs/error-log",
  logSyslog: "arbiter/logs/error-log",
  logSyslogTo: "arbiter/logs/error-log",
  logSyslogPrefix: "arbiter/logs/error-log",
  logSyslogFacility: "arbiter/logs/error-log",
};

test("every setting has a test that sets it", () => {
  for (const name of SETTING_NAMES) {
    const text = readFileSync(join(import.meta.dirname, "..", `${SHOWN[name]}.test.ts`), "utf8");
    const { flags = [] } = settings[name] as Setting<unknown>;
    const spellings = [`--${settingLabel(name)}`, ...flags].map((flag) => `["' ]${flag}["' =]`);
    assert.match(text, new RegExp([...spellings, `\\b${name}\\b`].join("|"), "m"), name);
  }
});

/** A setting that a reload brings into force, and what it does to a client. */
interface Effect {
  readonly name: SettingName;
  readonly value: number | string;
  /** Sent by the client before it waits for the server to close the connection. */
  readonly bytes: string;
  readonly answer: RegExp;
  /** The result with the default; absent where that lets the client wait. */
  readonly otherwise?: RegExp;
}

const close = "Connection: close";
const post = (...fields: string[]): string => head("/body", ...fields).replace("GET", "POST");
const OK = /^HTTP\/1\.1 200 /;

const EFFECTS: readonly Effect[] = [
  {
    name: "limitRequestLine",
    value: 40,
    bytes: head(`/${"l".repeat(50)}`, close),
    answer: /^\S+ 414 /,
    otherwise: OK,
  },
  {
    name: "limitRequestFields",
    value: 3,
    bytes: head("/plain", close, "A: 1", "B: 2"),
    answer: /^\S+ 431 /,
    otherwise: OK,
  },
  {
    name: "limitRequestFieldSize",
    value: 50,
    bytes: head("/plain", close, `A: ${"a".repeat(50)}`),
    answer: /^\S+ 431 /,
    otherwise: OK,
  },
  {
    name: "limitRequestBody",
    value: "9B",
    bytes: `${post(close, "Content-Length: 10")}0123456789`,
    answer: /^\S+ 413 /,
    otherwise: OK,
  },
  { name: "headerTimeout", value: "1s", bytes: "GET /plain HTTP/1.1\r\nHost", answer: /^\S+ 408 / },
  { name: "bodyTimeout", value: "1s", bytes: `${post("Content-Length: 10")}012`, answer: /^\S+ 408 / },
  { name: "bodyTotalTimeout", value: "1s", bytes: `${post("Content-Length: 10")}012`, answer: /^\S+ 408 / },
  { name: "requestTimeout", value: "1s", bytes: head("/never", close), answer: /^\S+ 503 / },
  { name: "keepAlive", value: "1s", bytes: head("/plain"), answer: OK },
];

// The tests mostly wait, for timeouts that take a second or two.
for (const app of APPS) describe(app.what, { concurrency: true }, () => testEffectsOn(app));

function testEffectsOn({ what, spec }: (typeof APPS)[number]): void {
  test(`${what}: limits and times do what they say, from a reload on`, async (context) => {
    const folder = temporaryFolder(context);
    const file = join(folder, "tsgun.config.json");
    const write = (values: object): void =>
      writeFileSync(file, JSON.stringify({ app: spec, bind: "127.0.0.1:0", ...values }));
    write({});
    const command = startCommand(context, [], { cwd: folder });
    await command.ready();
    const port = await command.port();
    for (const { name, bytes, otherwise } of EFFECTS)
      if (otherwise !== undefined) assert.match(await raw(port, bytes), otherwise, name);
    let generation = 1;
    for (const { name, value, bytes, answer } of EFFECTS) {
      write({ [name]: value });
      command.kill("SIGHUP");
      generation += 1;
      await command.ready(generation);
      await until("the old worker is gone", () => command.workers().length === 1);
      assert.match(await raw(port, bytes), answer, name);
    }
    assert.equal((await command.end()).code, 0);
  });

  test(`${what}: --body-min-rate tells a slow upload from one that is too slow`, async (context) => {
    for (const [rate, answer] of [
      ["240", /^\S+ 408 /],
      ["0", OK],
    ] as const) {
      const args = [spec, "-b", "127.0.0.1:0", "--body-timeout", "2s", "--body-min-rate", rate];
      const command = startCommand(context, args);
      await command.ready();
      const socket = connect({ port: await command.port(), host: "127.0.0.1" });
      cleanUp(context, () => socket.destroy());
      let text = "";
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk;
      });
      socket.write(post(close, "Content-Length: 30"));
      const byte = setInterval(() => socket.write("x"), 150);
      socket.once("data", () => clearInterval(byte));
      await until("it is answered", () => text !== "");
      clearInterval(byte);
      assert.match(text, answer);
      await command.end();
    }
  });

  test(`${what}: --linger is how long an idle connection is answered after TERM`, async (context) => {
    for (const linger of ["20s", "0"]) {
      const command = startCommand(context, [spec, "-b", "127.0.0.1:0", "--linger", linger]);
      await command.ready();
      const socket = connect({ port: await command.port(), host: "127.0.0.1" });
      cleanUp(context, () => socket.destroy());
      let text = "";
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk;
      });
      const closed = once(socket, "close");
      socket.write(head("/plain"));
      await until("it is answered", () => text.endsWith("plain\n"));
      command.kill("SIGTERM");
      await command.line(/Handling signal: term/);
      if (linger !== "0") {
        await until("no other connection is accepted", () => refused(command.port()));
        socket.write(head("/plain"));
      }
      await closed;
      assert.equal(text.split("plain\n").length - 1, linger === "0" ? 1 : 2);
      assert.equal((await command.ended()).code, 0);
    }
  });
}

async function refused(port: Promise<number>): Promise<boolean> {
  return await ask({ port: await port }).then(
    () => false,
    ({ code }) => code === "ECONNREFUSED",
  );
}

test("--backlog is passed to listen()", { skip: process.platform !== "linux" }, async (context) => {
  if (!hasComponent(context, "ss", "iproute2")) return;
  const { spec } = APPS[0] as (typeof APPS)[number];
  const command = startCommand(context, [spec, "-b", "127.0.0.1:0", "--backlog", "37"]);
  await command.ready();
  const listening = execFileSync("ss", ["-ltnH", `sport = :${await command.port()}`], { encoding: "utf8" });
  assert.equal(listening.trim().split(/\s+/)[2], "37", listening);
});

test("--interface decides the kind of a bare function", async (context: TestContext) => {
  const folder = temporaryFolder(context);
  writeFileSync(join(folder, "fetched.mjs"), 'export default async (request) => new Response("fetched");\n');
  writeFileSync(join(folder, "node.mjs"), 'export default (request, response) => response.end("node");\n');
  for (const [name, text] of [
    ["fetch", "fetched"],
    ["node", "node"],
  ] as const) {
    const app = `${text}.mjs`;
    const command = startCommand(context, [app, "--interface", name, "-b", "127.0.0.1:0"], { cwd: folder });
    await command.ready();
    assert.equal((await ask({ port: await command.port() })).text, text);
  }
});
