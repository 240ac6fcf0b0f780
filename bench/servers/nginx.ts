/** nginx as a server of one answer, and the nginx that stands in front of another server. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireProgram, versionOf } from "../lib/programs.ts";
import type { Address } from "../lib/running.ts";
import type { Server } from "../lib/server.ts";

const nginx = (): string => requireProgram("nginx", "apt-get install nginx");

/** Writes a configuration, and returns the command that serves it in the foreground. */
function configured(folder: string, workers: number, http: string): [string, ...string[]] {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => {
    mkdirSync(join(folder, name), { recursive: true });
    return `${name}_temp_path ${join(folder, name)};`;
  });
  const file = join(folder, "nginx.conf");
  const log = join(folder, "nginx-error.log");
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes ${workers};
pid ${join(folder, "nginx.pid")};
error_log ${log} warn;
events { worker_connections 20000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  ${temporary.join("\n  ")}
  ${http}
}
`,
  );
  return [nginx(), "-c", file, "-e", log];
}

export const NGINX: Server = {
  name: "nginx",
  what: "nginx, return 200",
  version: () => versionOf("sh", "-c", `${nginx()} -v 2>&1`),
  command({ app, workers }, { address, folder }) {
    if (app !== "hello") return undefined;
    const listen = typeof address === "number" ? `127.0.0.1:${address}` : `unix:${address}`;
    const site = `server {
    listen ${listen};
    default_type "text/plain; charset=utf-8";
    location / { return 200 "Hello, world\\n"; }
  }`;
    return { words: configured(folder, workers, site) };
  },
};

/** The command of an nginx that passes on to a server, configured as in the README. */
export function nginxBefore(server: Address, port: number, folder: string): [string, ...string[]] {
  const upstream = typeof server === "number" ? `127.0.0.1:${server}` : `unix:${server}`;
  const site = `upstream app {
    server ${upstream};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }`;
  return configured(folder, 1, site);
}
