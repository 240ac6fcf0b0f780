/** A real nginx in a temporary folder, on a free port, with what a test puts into its server block. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { cleanUp } from "./command.ts";
import { freePort } from "./free-port.ts";

export interface Nginx {
  readonly port: number;
  /** The text of nginx's error log so far. */
  errors(): string;
}

export interface NginxSite {
  /** The body of `upstream app { … }`. */
  readonly upstream: string;
  /** The body of the server block, without `listen`. */
  readonly server: string;
  /** Further blocks of `http`. */
  readonly more?: string;
}

async function accepts(port: number, child: ChildProcess, deadline: number): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended with code ${child.exitCode}`);
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      socket.destroy();
    }
  }
}

/** Starts nginx in `folder`; it is stopped when the test ends, and its error log shown if the test failed. */
export async function startNginx(test: TestContext, folder: string, site: NginxSite): Promise<Nginx> {
  const port = await freePort();
  const log = join(folder, "nginx-error.log");
  for (const name of ["client", "proxy", "fastcgi", "uwsgi", "scgi"]) {
    mkdirSync(join(folder, `nginx-${name}`), { recursive: true });
  }
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const config = join(folder, "nginx.conf");
  writeFileSync(
    config,
    `${user}
daemon off;
worker_processes 1;
pid ${join(folder, "nginx.pid")};
error_log ${log} warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${join(folder, "nginx-client")};
  proxy_temp_path ${join(folder, "nginx-proxy")};
  fastcgi_temp_path ${join(folder, "nginx-fastcgi")};
  uwsgi_temp_path ${join(folder, "nginx-uwsgi")};
  scgi_temp_path ${join(folder, "nginx-scgi")};
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  upstream app {
    ${site.upstream}
  }
  server {
    listen 127.0.0.1:${port};
    ${site.server}
  }
  ${site.more ?? ""}
}
`,
  );
  await runNginx(test, { args: ["-c", config, "-e", log], port });
  return { port, errors: () => readFileSync(log, "utf8") };
}

export interface NginxRun {
  readonly args: readonly string[];
  readonly cwd?: string;
  /** A port of its configuration that it listens on. */
  readonly port: number;
}

/** Starts nginx, which must stay in the foreground, and waits until it listens. It is stopped when the test ends. */
export async function runNginx(test: TestContext, { args, cwd, port }: NginxRun): Promise<void> {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const child = spawn("nginx", args, { env, cwd, stdio: ["ignore", "inherit", "inherit"] });
  cleanUp(test, async () => {
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await accepts(port, child, Date.now() + 10_000);
}

/** Writes a whole configuration around a site into `folder`, as nginx itself includes sites. Returns its file. */
export function nginxAround(folder: string, site: string): string {
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const file = join(folder, "nginx.conf");
  writeFileSync(join(folder, "site.conf"), site);
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  ${places.join("\n  ")}
  include ${folder}/site.conf;
}
`,
  );
  return file;
}
