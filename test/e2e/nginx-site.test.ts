/** Every feature of `examples/nginx`, through a real nginx with the example's own configuration. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { ask } from "../support/ask.ts";
import { isAlive, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { NGINX_USER, NginxExample } from "../support/nginx-example.ts";
import { SiteLoad } from "../support/site-load.ts";

const notLinux = process.platform === "linux" ? false : "only Linux has /proc, and all of 127.0.0.0/8";

function hasComponents(context: TestContext): boolean {
  return ["nginx", "openssl", "curl"].every((program) => hasComponent(context, program));
}

/** How many requests have reached the app on all servers, asked directly. */
async function served(site: NginxExample): Promise<number> {
  let sum = 0;
  for (const number of [1, 2, 3]) {
    const { text } = await ask({ path: site.socketOf(number) }, "/api/served");
    sum += (JSON.parse(text) as { served: number }).served;
  }
  return sum;
}

/** How many requests reach the app during `task`. */
async function reaching(site: NginxExample, task: () => Promise<unknown>): Promise<number> {
  const before = await served(site);
  await task();
  return (await served(site)) - before;
}

test("one nginx, three servers", async (context) => {
  if (!hasComponents(context)) return;
  // One worker each, so that its counter is the server's.
  const site = await NginxExample.start(context, ["--workers", "1"]);

  await context.test("TLS ends at nginx, and the app knows of it", async () => {
    const { status, text } = await site.ask("/api/whoami");
    assert.equal(status, 200);
    const { scheme, host } = JSON.parse(text) as { scheme: string; host: string };
    assert.deepEqual({ scheme, host }, { scheme: "https", host: `localhost:${site.port}` });
  });

  await context.test("without TLS there is but the way to it", async () => {
    const reached = await reaching(site, async () => {
      const { status, headers } = await ask({ port: site.plainPort, host: "localhost" }, "/a?b");
      assert.deepEqual([status, headers.location], [301, `https://localhost:${site.port}/a?b`]);
    });
    assert.equal(reached, 0);
  });

  await context.test(
    "the client's address arrives, whatever the client says",
    { skip: notLinux },
    async () => {
      const lies = {
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "evil.example",
        "x-forwarded-prefix": "/evil",
        "x-request-id": "evil",
        forwarded: "for=6.6.6.6;proto=http;host=evil.example",
      };
      const { text } = await site.ask("/api/whoami", { from: "127.0.0.2", headers: lies });
      const { id, ...rest } = JSON.parse(text) as { id: string };
      assert.deepEqual(rest, { address: "127.0.0.2", scheme: "https", host: `localhost:${site.port}` });
      assert.match(id, /^[0-9a-f]{32}$/);
    },
  );

  await context.test("files come from nginx, and so does the news that there is none", async () => {
    const reached = await reaching(site, async () => {
      const style = await site.ask("/static/style.css", { headers: { "accept-encoding": "gzip" } });
      assert.equal(style.status, 200);
      assert.equal(style.headers["content-type"], "text/css");
      assert.equal(style.headers["content-encoding"], "gzip");
      assert.equal(style.headers["cache-control"], "max-age=3600");
      const plain = await site.ask("/static/style.css");
      assert.equal(plain.text, readFileSync(join(site.folder, "static", "style.css"), "utf8"));
      assert.equal((await site.ask("/static/nothing.css")).status, 404);
      assert.equal((await site.ask("/static/../app.ts")).status, 404);
    });
    // The last one is a page of the app, not a file of nginx.
    assert.equal(reached, 1);
  });

  await context.test("what is cached is made once, however many ask", async () => {
    const reached = await reaching(site, async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => site.ask("/news")));
      const later = await site.ask("/news");
      assert.equal(later.headers["x-cache-status"], "HIT");
      for (const { status, text } of answers) assert.deepEqual([status, text], [200, later.text]);
    });
    assert.equal(reached, 1);
  });

  await context.test("who is logged in gets nothing from the cache", async () => {
    const cached = await site.ask("/news");
    const own = await site.ask("/news", { headers: { cookie: "session=1" } });
    assert.deepEqual([cached.headers["x-cache-status"], own.headers["x-cache-status"]], ["HIT", "BYPASS"]);
    assert.equal((await site.ask("/news")).text, cached.text);
  });

  await context.test("nginx refuses a client that logs in too often, and no other", async () => {
    const statuses: number[] = [];
    const login = { method: "POST", from: "127.0.0.1" };
    const reached = await reaching(site, async () => {
      for (const { status } of await Promise.all(Array.from({ length: 20 }, () => site.ask("/login", login))))
        statuses.push(status);
    });
    const count = (wanted: number): number => statuses.filter((status) => status === wanted).length;
    assert.equal(count(200) + count(429), 20);
    assert.ok(count(200) >= 6, "five at once are let through beside the first");
    assert.ok(count(429) > 0);
    assert.equal(reached, count(200));
    if (notLinux === false) {
      assert.equal((await site.ask("/login", { ...login, from: "127.0.0.2" })).status, 200);
    }
  });

  await context.test("methods that a page does not take end at nginx", async () => {
    const reached = await reaching(site, async () => {
      for (const method of ["POST", "PUT", "DELETE", "PROPFIND"]) {
        assert.equal((await site.ask("/", { method })).status, 405, method);
      }
    });
    assert.equal(reached, 0);
    assert.equal((await site.ask("/", { method: "HEAD" })).status, 200);
    assert.equal((await site.ask("/api/echo", { method: "POST", body: "told" })).text, "told");
  });

  await context.test("what is too large ends at nginx", async () => {
    const reached = await reaching(site, async () => {
      const headers = { "content-length": String(11 * 1024 * 1024), expect: "100-continue" };
      assert.equal((await site.ask("/api/echo", { method: "POST", headers })).status, 413);
    });
    assert.equal(reached, 0);
  });

  await context.test("the app cannot be reached but through nginx", { skip: notLinux }, async () => {
    for (const [index, server] of site.servers.entries()) {
      const socket = statSync(site.socketOf(index + 1));
      assert.equal(socket.mode & 0o777, 0o660);
      assert.equal(socket.uid, process.getuid?.());
      assert.deepEqual(await server.urls(), [`unix:run/app-${index + 1}.sock`]);
      for (const pid of [server.pid, ...server.workers()]) assert.deepEqual(listeningPorts(pid), []);
    }
    // Only root can change its user.
    if (NGINX_USER === undefined) return;
    assert.equal(groupName(statSync(site.socketOf(1)).gid), NGINX_USER.group);
    assert.equal(curlAs(site, NGINX_USER.user, NGINX_USER.group), 0);
    assert.equal(curlAs(site, "daemon", "daemon"), CURL_COULD_NOT_CONNECT);
  });

  await context.test("connections to the app are kept", { skip: notLinux }, async () => {
    const agent = site.keptConnection();
    const askOften = async (): Promise<void> => {
      for (let time = 0; time < 30; time++) {
        assert.equal((await site.ask("/api/whoami", { agent })).status, 200);
      }
    };
    await askOften();
    const kept = connections(site);
    assert.ok(kept.length > 0, "nginx keeps none");
    await askOften();
    assert.deepEqual(connections(site), kept);
    agent.destroy();
  });

  await context.test("a stream passes as it is made", async () => {
    const outgoing = request(site.options("/events")).end();
    outgoing.on("error", () => {});
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    let text = "";
    incoming.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    incoming.on("error", () => {});
    // This response never ends.
    await until("events come", () => text.startsWith("data: 1\n\ndata: 2\n\n"));
    outgoing.destroy();
  });

  await context.test("WebSockets pass, at the one place for them", async () => {
    const options = { ca: site.certificate, servername: "localhost" };
    const socket = new WebSocket(`wss://127.0.0.1:${site.port}/ws`, options);
    await once(socket, "open");
    const message = Buffer.alloc(200_000, "0123456789abc");
    const echo = once(socket, "message");
    socket.send(message);
    assert.ok(message.equals((await echo)[0] as Buffer));
    const closed = once(socket, "close");
    socket.close(1000);
    assert.equal((await closed)[0], 1000);
    const elsewhere = new WebSocket(`wss://127.0.0.1:${site.port}/api/whoami`, options);
    elsewhere.on("error", () => {});
    const [, response] = (await once(elsewhere, "unexpected-response")) as [unknown, IncomingMessage];
    assert.equal(response.statusCode, 200);
    elsewhere.terminate();
  });

  await context.test("while the file of maintenance exists, no request reaches the app", async () => {
    const file = join(site.folder, "run", "maintenance");
    writeFileSync(file, "");
    const reached = await reaching(site, async () => {
      for (const path of ["/", "/api/whoami", "/news"]) {
        const { status, headers, text } = await site.ask(path);
        assert.deepEqual([status, headers["retry-after"]], [503, "120"], path);
        assert.match(text, /back in a few minutes/);
      }
      assert.equal((await site.ask("/api/echo", { method: "POST", body: "told" })).status, 503);
    });
    assert.equal(reached, 0);
    rmSync(file);
    assert.equal((await site.ask("/")).status, 200);
  });

  await context.test("where no server is left, a page says so", async () => {
    for (const server of site.servers) assert.deepEqual(await server.end(), { code: 0, signal: null });
    const { status, text } = await site.ask("/");
    assert.equal(status, 502);
    assert.match(text, /does not answer right now/);
    assert.equal((await site.ask("/static/style.css")).status, 200);
  });
});

test("one of three servers is reloaded and one killed: only the killed one's requests in flight are lost", {
  skip: notLinux,
}, async (context) => {
  if (!hasComponents(context)) return;
  const site = await NginxExample.start(context);
  const load = new SiteLoad(site, 8);
  try {
    await shakeServers(site, load);
  } finally {
    await load.stop();
  }
});

/** Checks that every failure was unavoidable. */
async function shakeServers(site: NginxExample, load: SiteLoad): Promise<void> {
  const [killed, reloaded] = site.servers;
  assert.ok(killed !== undefined && reloaded !== undefined);
  await load.more(300);
  assert.deepEqual([...load.answered.keys()].sort(), ["1", "2", "3"]);

  reloaded.kill("SIGHUP");
  await reloaded.ready(2);
  await load.more(300);
  assert.deepEqual(load.failures, []);

  const pids = [killed.pid, ...killed.workers()];
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await until("all of it is gone", () => !pids.some(isAlive));
  await load.more(100);
  const lost = load.failures.length;
  // Each client has one request in flight at a time.
  assert.ok(lost <= 8 * 2, JSON.stringify(load.failures));
  for (const failure of load.failures) assert.deepEqual(failure, { method: "POST", what: "status 502" });
  const before = load.answered.get("1");
  await load.more(500);
  assert.equal(load.failures.length, lost, JSON.stringify(load.failures));
  assert.equal(load.answered.get("1"), before);

  await site.startServer(1).ready();
  await until("it takes its share again", () => load.answered.get("1") !== before);
  await load.stop();
  assert.equal(load.failures.length, lost, JSON.stringify(load.failures));
}

const CURL_COULD_NOT_CONNECT = 7;

/** Requests the first server directly, as another user; returns curl's exit code. */
function curlAs(site: NginxExample, user: string, group: string): number | null {
  const id = (flag: string, of: string): number => {
    const line = readFileSync(`/etc/${flag}`, "utf8")
      .split("\n")
      .find((entry) => entry.startsWith(`${of}:`));
    return Number(line?.split(":")[2]);
  };
  const args = ["-s", "--unix-socket", site.socketOf(1), "http://app/api/served"];
  const outcome = spawnSync("curl", args, {
    uid: id("passwd", user),
    gid: id("group", group),
    cwd: site.folder,
  });
  if (outcome.error !== undefined) throw outcome.error;
  return outcome.status;
}

function groupName(gid: number): string | undefined {
  const lines = readFileSync("/etc/group", "utf8").split("\n");
  return lines.find((line) => line.split(":")[2] === String(gid))?.split(":")[0];
}

/** The TCP sockets that a process listens on: lines of the kernel's table. */
function listeningPorts(pid: number): string[] {
  const sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    } catch {
      // The descriptor has been closed meanwhile.
      return undefined;
    }
  });
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "latin1")
      .split("\n")
      .filter((line) => {
        const [, , , state, , , , , , inode] = line.trim().split(/\s+/);
        return state === "0A" && sockets.includes(inode);
      }),
  );
}

/** The servers' ends of the existing connections, by the kernel's inode numbers. */
function connections(site: NginxExample): string[] {
  const rows = readFileSync("/proc/net/unix", "latin1").split("\n");
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(
      ([, , , , , state, , path]) => state === "03" && path?.startsWith(join(site.folder, "run", "app-")),
    )
    .map((row) => row[6] ?? "")
    .sort();
}
