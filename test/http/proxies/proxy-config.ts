/** The configurations of nginx and HAProxy: one entrance for each lane, with a log of what the proxy believes it forwards. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The field that a proxy adds to each request which it forwards. A client does not know its value. */
export const MARK = "X-Forwarded-By-Lane";

export interface LanePaths {
  readonly name: string;
  /** Where clients connect. */
  readonly entrance: string;
  /** Where the proxy connects. */
  readonly upstream: string;
  /** The value of the mark. */
  readonly secret: string;
  /** Content is passed on as it comes, not as a whole. */
  readonly streams: boolean;
  /** The proxy passes on fields whose names it would drop by default. */
  readonly lenient: boolean;
}

/** The name of a lane's log in the folder. */
export function nginxLog(lane: LanePaths): string {
  return `${lane.name}.log`;
}

export function writeNginx(folder: string, lanes: readonly LanePaths[]): string {
  for (const name of ["client", "proxy", "fastcgi", "uwsgi", "scgi"])
    mkdirSync(join(folder, `nginx-${name}`), { recursive: true });
  const servers = lanes.map(
    (lane) => `
  upstream ${lane.name} { server unix:${lane.upstream}; keepalive 2; }
  server {
    listen unix:${lane.entrance};
    access_log ${join(folder, nginxLog(lane))} forwarded;
    ignore_invalid_headers ${lane.lenient ? "off" : "on"};
    underscores_in_headers ${lane.lenient ? "on" : "off"};
    merge_slashes ${lane.lenient ? "off" : "on"};
    location / {
      proxy_pass http://${lane.name};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header ${MARK} ${lane.secret};
      proxy_request_buffering ${lane.streams ? "off" : "on"};
      proxy_ignore_client_abort on;
      proxy_next_upstream off;
    }
  }`,
  );
  const config = join(folder, "nginx.conf");
  writeFileSync(
    config,
    `${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${join(folder, "nginx.pid")};
error_log ${join(folder, "nginx-error.log")} crit;
events { worker_connections 512; }
http {
  client_body_temp_path ${join(folder, "nginx-client")};
  proxy_temp_path ${join(folder, "nginx-proxy")};
  fastcgi_temp_path ${join(folder, "nginx-fastcgi")};
  uwsgi_temp_path ${join(folder, "nginx-uwsgi")};
  scgi_temp_path ${join(folder, "nginx-scgi")};
  client_body_in_single_buffer on;
  client_body_buffer_size 64k;
  log_format forwarded escape=json '{"method":"$request_method","target":"$request_uri","body":"$request_body","upstream":"$upstream_addr"}';
  ${servers.join("\n")}
}
`,
  );
  return config;
}

export function writeHaproxy(folder: string, lanes: readonly LanePaths[]): string {
  const sections = lanes.map(
    (lane) => `
frontend ${lane.name}
  bind unix@${lane.entrance}
  ${lane.streams ? "" : "option http-buffer-request"}
  ${lane.lenient ? "option accept-invalid-http-request" : ""}
  http-request set-var(txn.method) method,hex
  http-request set-var(txn.target) url,hex
  http-request set-var(txn.body) req.body,hex
  http-request set-header ${MARK} ${lane.secret}
  log-format "%f %s m%[var(txn.method)] t%[var(txn.target)] b%[var(txn.body)]"
  default_backend to-${lane.name}
backend to-${lane.name}
  http-reuse always
  server app unix@${lane.upstream}`,
  );
  const config = join(folder, "haproxy.cfg");
  writeFileSync(
    config,
    `global
  # With several threads it drops a line when another one is writing.
  nbthread 1
  log stdout len 65535 format raw local0
defaults
  mode http
  log global
  timeout client 10s
  timeout server 10s
  timeout connect 10s
  timeout http-request 10s
  timeout http-keep-alive 10s
${sections.join("\n")}
`,
  );
  return config;
}
