/** The PROXY protocol from those who speak it: HAProxy, nginx's stream module and curl, and their checks and reloads. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { get as getSecurely } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FIXTURES, isAlive, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent, nginxStream } from "../support/component.ts";
import { MIXED } from "../support/fault-stage.ts";
import { freePorts } from "../support/free-port.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { Load } from "../support/load.ts";
import { runNginx } from "../support/nginx.ts";

interface Told {
  readonly remote: { family: string; address: string; port: number };
  readonly local: { address: string; port: number };
  readonly scheme: string;
  readonly proxy: {
    readonly version: number;
    readonly balancer: { address: string };
    readonly tlvs: readonly (readonly [type: number, value: string])[];
    readonly tls?: { version: string; cipher: string; hasCertificate: boolean };
  };
}

/** Asks from 127.0.0.2, so that the client has another address than the balancer. Resolves with its port as well. */
async function ask(port: number, tls?: { servername: string }): Promise<{ told: Told; from: number }> {
  const where = { port, host: "127.0.0.1", localAddress: "127.0.0.2", agent: false } as const;
  const outgoing =
    tls === undefined ? get(where) : getSecurely({ ...where, ...tls, rejectUnauthorized: false });
  const [incoming] = await once(outgoing, "response");
  const from = outgoing.socket?.localPort ?? 0;
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
  return { told: JSON.parse(text) as Told, from };
}

const APP = `${join(FIXTURES, "proxy/ends.mjs")}:app`;
const GLOBAL = `
global
  maxconn 200
defaults
  mode tcp
  log stdout local0 notice
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout check 10s
`;

/** HAProxy's certificate for its clients. */
function certificate(folder: string): string {
  const pem = join(folder, "haproxy.pem");
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const words = [
    "req",
    "-x509",
    ...key,
    "-subj",
    "/CN=shop.test",
    "-days",
    "2",
    "-keyout",
    pem,
    "-out",
    `${pem}.crt`,
  ];
  execFileSync("openssl", words, { stdio: "ignore" });
  writeFileSync(pem, readFileSync(`${pem}.crt`), { flag: "a" });
  return pem;
}

async function served(
  context: TestContext,
  ...args: string[]
): Promise<{ app: string; log: string; port: number; folder: string }> {
  const folder = temporaryFolder(context);
  const log = join(folder, "access.log");
  const app = `unix:${join(folder, "app.sock")}`;
  const logging = ["--access-logfile", log, "--access-logformat", "%(h)s %(s)s"];
  const binds = ["-b", "127.0.0.1:0", "-b", app];
  const command = startCommand(context, [APP, ...binds, "--no-control-socket", ...logging, ...args]);
  await command.ready();
  return { app, log, port: await command.port(), folder };
}

test("HAProxy names its clients in both versions, with TLVs, and checks the server", async (context) => {
  if (!hasComponent(context, "haproxy") || !hasComponent(context, "openssl")) return;
  const { app, log, port, folder } = await served(context, "--proxy-protocol", "auto");
  const first = await freePorts(4);
  const [v1 = 0, v2 = 0, ssl = 0, checked = 0] = [0, 1, 2, 3].map((add) => first + add);
  const socket = app.replace("unix:", "unix@");
  await startHaproxy(
    context,
    folder,
    `${GLOBAL}
listen v1
  bind 127.0.0.1:${v1}
  server app 127.0.0.1:${port} send-proxy
listen v2
  bind 127.0.0.1:${v2}
  server app ${socket} send-proxy-v2
listen ssl
  bind 127.0.0.1:${ssl} ssl crt ${certificate(folder)}
  unique-id-format %[src]-%[dst_port]
  server app 127.0.0.1:${port} send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,authority,crc32c,unique-id
listen checked
  bind 127.0.0.1:${checked}
  option httpchk GET /check
  server app 127.0.0.1:${port} send-proxy-v2 check inter 100ms
`,
    checked,
  );
  const one = await ask(v1);
  assert.deepEqual(one.told.remote, { family: "ipv4", address: "127.0.0.2", port: one.from });
  assert.equal(one.told.local.port, v1);
  assert.deepEqual([one.told.proxy.version, one.told.proxy.balancer.address], [1, "127.0.0.1"]);
  const two = await ask(v2);
  assert.deepEqual([two.told.remote.port, two.told.proxy.version, two.told.scheme], [two.from, 2, "http"]);
  const three = await ask(ssl, { servername: "shop.test" });
  assert.deepEqual([three.told.remote.port, three.told.scheme], [three.from, "https"]);
  const { tls, tlvs } = three.told.proxy;
  assert.match(tls?.version ?? "", /^TLSv1\.[23]$/);
  assert.equal(tls?.hasCertificate, false);
  const values = new Map(tlvs);
  assert.equal(values.get(2), "shop.test");
  assert.equal(values.get(5), `127.0.0.2-${ssl}`);
  assert.equal(values.get(3)?.length, 4);
  // Its own checks come without a client (LOCAL).
  await until("HAProxy has checked", () => /^127\.0\.0\.1 200$/m.test(readFileSync(log, "utf8")));
  assert.equal((await ask(checked)).told.remote.address, "127.0.0.2");
});

test("nginx's stream module and curl name the client in version 1", async (context) => {
  const load = nginxStream(context);
  if (load === undefined || !hasComponent(context, "curl")) return;
  const { app, port, folder } = await served(context, "--proxy-protocol", "v1");
  const front = await freePorts(1);
  const config = join(folder, "nginx.conf");
  writeFileSync(
    config,
    `${load}
${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${join(folder, "nginx.pid")};
error_log stderr warn;
events { worker_connections 64; }
stream { server { listen 127.0.0.1:${front}; proxy_pass ${app}; proxy_protocol on; } }
`,
  );
  await runNginx(context, { args: ["-c", config, "-e", "stderr"], port: front });
  const { told, from } = await ask(front);
  assert.deepEqual(told.remote, { family: "ipv4", address: "127.0.0.2", port: from });
  assert.deepEqual([told.local.port, told.proxy.version], [front, 1]);

  const url = `http://127.0.0.1:${port}/`;
  const curl = (...words: string[]): Told =>
    JSON.parse(execFileSync("curl", ["-sS", ...words], { encoding: "utf8" })) as Told;
  const direct = curl("--haproxy-protocol", "--interface", "127.0.0.3", url);
  assert.deepEqual([direct.remote.address, direct.proxy.version], ["127.0.0.3", 1]);
});

/** Answers to each load between two steps. */
const BETWEEN = 15;

test("behind HAProxy with checks, three servers are reloaded and upgraded under load, and nothing is lost", async (context) => {
  if (!hasComponent(context, "haproxy")) return;
  const folder = temporaryFolder(context);
  copyFileSync(join(FIXTURES, "faults/mirror.mjs"), join(folder, "mirror.mjs"));
  const servers = [1, 2, 3].map((number) => ({
    socket: join(folder, `${number}.sock`),
    command: startCommand(
      context,
      [
        "mirror.mjs",
        "-b",
        `unix:${number}.sock`,
        "-w",
        "2",
        "--proxy-protocol",
        "v2",
        "--control-socket",
        `${number}.ctl`,
      ],
      { cwd: folder },
    ),
  }));
  for (const { command } of servers) await command.ready();
  const port = await freePorts(1);
  const lines = servers.map(
    ({ socket }, at) => `  server s${at} unix@${socket} send-proxy-v2 check inter 200ms fall 2 rise 1`,
  );
  const haproxy = await startHaproxy(
    context,
    folder,
    `${GLOBAL}
listen app
  bind 127.0.0.1:${port}
  balance roundrobin
  option httpchk GET /request/0
  http-check expect rstatus ^[0-9]+
${lines.join("\n")}
`,
    port,
  );
  const loads = (["keep-alive", "close"] as const).map(
    (mode) => new Load({ port }, { mode, make: MIXED, clients: 6, rate: 60 }),
  );
  context.after(() => Promise.all(loads.map((load) => load.stop())));
  const more = async (): Promise<void> => {
    await Promise.all(loads.map((load) => load.more(BETWEEN)));
  };
  await more();
  for (const { command } of servers) {
    command.kill("SIGHUP");
    await command.ready(2);
    await more();
    command.kill("SIGUSR2");
    await until("the old arbiter is gone", () => command.arbiters().length > 1 && !isAlive(command.pid));
    await more();
  }
  await Promise.all(loads.map((load) => load.stop()));
  for (const load of loads) {
    assert.equal(load.failed, 0, JSON.stringify(load.failures));
    assert.ok(load.counts.answered > 6 * BETWEEN);
  }
  for (const { command } of servers) assert.deepEqual(command.lines(/WARNING|ERROR/), []);
  assert.doesNotMatch(haproxy.log(), /DOWN/);
  for (const { command } of servers) {
    process.kill(command.arbiters().at(-1) ?? 0, "SIGTERM");
    await command.ended();
  }
});
