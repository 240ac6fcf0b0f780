/** `tsgun doctor` predicts what nginx, as a user that is not root, makes of a socket, and its advice helps. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Report } from "../../src/deploy/doctor/report.ts";
import { type RunningCommand, startCommand, until } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { examine } from "../support/doctor.ts";
import { freePort } from "../support/free-port.ts";
import { projectOf } from "../support/init.ts";
import { runNginx } from "../support/nginx.ts";
import { NGINX_USER } from "../support/nginx-example.ts";

const notHere =
  NGINX_USER === undefined ? "nginx takes another user only where root starts it" : missing("nginx");

class Shop {
  readonly folder: string;
  readonly log: string;
  readonly #test: TestContext;
  #port = 0;

  constructor(test: TestContext) {
    this.#test = test;
    this.folder = projectOf(test, {
      "app.ts": 'export const handler = (request, respond) => respond(200, {}, "shop");\n',
    });
    // The permissions on the way to the socket are the subject.
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.folder, "run"), { mode: 0o755 });
    this.log = join(this.folder, "error.log");
  }

  async startNginx(): Promise<void> {
    this.#port = await freePort();
    const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${this.folder}/${name};`,
    );
    writeFileSync(
      join(this.folder, "nginx.conf"),
      `user ${NGINX_USER?.user} ${NGINX_USER?.group};
daemon off;
pid ${this.folder}/nginx.pid;
events {}
http {
  access_log off;
  ${places.join("\n  ")}
  server {
    listen 127.0.0.1:${this.#port};
    location / {
      proxy_pass http://unix:${this.folder}/run/shop.sock;
    }
  }
}
`,
    );
    await runNginx(this.#test, {
      args: ["-c", join(this.folder, "nginx.conf"), "-e", this.log],
      port: this.#port,
    });
  }

  words(settings: readonly string[]): string[] {
    return ["app.ts:handler", "--bind", `unix:${this.folder}/run/shop.sock`, ...settings];
  }

  async serve(...settings: string[]): Promise<RunningCommand> {
    const server = startCommand(this.#test, this.words(settings), { cwd: this.folder });
    await server.ready();
    return server;
  }

  async status(): Promise<number> {
    return (await fetch(`http://127.0.0.1:${this.#port}/`)).status;
  }

  /** Rule and place of each error, for the running processes. */
  errors(...settings: string[]): string[] {
    const { stdout } = examine(this.folder, "--json", "--nginx", "nginx.conf", "--", ...this.words(settings));
    const { findings } = JSON.parse(stdout) as Report;
    return findings.filter(({ level }) => level === "error").map(({ rule, where }) => `${rule} ${where}`);
  }
}

test("a socket that nginx may not open is found and gives 502; fixed as advised it gives 200", {
  skip: notHere,
}, async (t) => {
  const shop = new Shop(t);
  await shop.startNginx();
  const socket = `${shop.folder}/run/shop.sock`;

  const closed = ["--socket-mode", "600"];
  const first = await shop.serve(...closed);
  assert.deepEqual(shop.errors(...closed), [`socket-closed ${socket}`]);
  assert.equal(await shop.status(), 502);
  await until("nginx says why", () =>
    /connect\(\) to unix:.* failed \(13: Permission denied\)/.test(readFileSync(shop.log, "utf8")),
  );
  await first.end();

  // As the finding advises.
  const open = ["--socket-mode", "660", "--socket-owner", `root:${NGINX_USER?.group}`];
  await shop.serve(...open);
  assert.equal(await shop.status(), 200);
  assert.deepEqual(shop.errors(...open), []);

  const run = join(shop.folder, "run");
  chmodSync(run, 0o700);
  assert.deepEqual(shop.errors(...open), [`socket-folder-closed ${run}`]);
  assert.equal(await shop.status(), 502);
  chmodSync(run, 0o701);
  assert.deepEqual(shop.errors(...open), []);
  assert.equal(await shop.status(), 200);
});

test("an address that no server binds is found, and gives 502", {
  skip: notHere,
}, async (t) => {
  const shop = new Shop(t);
  await shop.startNginx();
  assert.equal(await shop.status(), 502);
  const site = join(shop.folder, "nginx.conf");
  const there = examine(
    shop.folder,
    "--nginx",
    site,
    "--",
    "app.ts:handler",
    "--bind",
    "unix:run/other.sock",
  );
  assert.equal(there.status, 1);
  assert.match(there.stdout, /^error {3}nginx\.conf:15 {2}\[nginx-nobody-there\]$/m);
});
