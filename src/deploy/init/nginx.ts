/** Writes the nginx site: the reverse proxy in front of the server. */
import { type Address, formatAddress, reachable } from "../../config/address.ts";
import type { Config } from "../../config/settings.ts";
import { workerAddress, workerLimit } from "../../config/worker-addresses.ts";
import { workerCount } from "../../system/cpu-limit.ts";
import { boundAddress, type Deployment, seconds } from "./deployment.ts";

/** Idle connections to the server that each nginx worker keeps. */
const KEEPALIVE_CONNECTIONS = 32;

/** nginx closes an idle connection this much earlier than the server, so that it never sends a request on one being closed. */
export const KEEPALIVE_MARGIN_S = 15;
const NGINX_KEEPALIVE_S = 60;

/** nginx waits this much longer than `request-timeout`, so that tsgun, which knows the cause, answers and logs the timeout. */
export const READ_MARGIN_MS = 30_000;

/** Formats an address for `server` in an upstream block. */
function server(address: Address): string {
  return formatAddress(reachable(address));
}

/** The servers of the upstream block, and how it chooses one. */
function upstreamServers({ name, folder, sockets, config }: Deployment): string {
  const { workerBind } = config;
  if (workerBind === undefined) {
    return `
  # One server, which nginx never marks as failed: while it restarts, connections wait in its socket.
  server ${server(sockets[0] as Address)} max_fails=0;`;
  }
  const count = Math.min(workerCount(config.workers), workerLimit(workerBind));
  const servers = Array.from({ length: count }, (_, index) => {
    const address = workerAddress(workerBind, index + 1);
    return `\n  server ${server(boundAddress(address, folder, config))} max_fails=0;`;
  });
  return `
  # A line for each worker (--worker-bind, ${count} ${config.workers === "auto" ? "on this machine" : "configured"}). nginx never marks one as failed: while a worker is
  # replaced, connections wait in its socket.
  hash $${variable(name)}_client consistent;${servers.join("")}`;
}

/** Keeps a client at one worker: a cookie that nginx sets with the first response. */
function stickyMaps({ name, config }: Deployment): string {
  if (config.workerBind === undefined) return "";
  const prefix = variable(name);
  return `
# Keeps a client at one worker: what its first request is called, it brings as a cookie from then on.
map $cookie_${prefix}_client $${prefix}_client {
  default $cookie_${prefix}_client;
  "" $request_id;
}
map $cookie_${prefix}_client $${prefix}_cookie {
  default "";
  "" "${prefix}_client=$request_id; Path=/; HttpOnly; SameSite=Lax";
}
`;
}

function stickyCookie({ name, config }: Deployment): string {
  return config.workerBind === undefined
    ? ""
    : `\n    add_header Set-Cookie $${variable(name)}_cookie always;`;
}

/** A name as part of nginx's variables. */
function variable(name: string): string {
  return name.replaceAll("-", "_");
}

function keepAlive(config: Config): string {
  const keep = Math.min(NGINX_KEEPALIVE_S, Math.floor(config.keepAlive / 1000) - KEEPALIVE_MARGIN_S);
  if (keep <= 0) return "";
  return `
  keepalive ${KEEPALIVE_CONNECTIONS};
  # Shorter than --keep-alive of tsgun (${seconds(config.keepAlive)}s): the side that reuses a connection closes it first.
  keepalive_timeout ${keep}s;`;
}

function readTimeout({ requestTimeout }: Config): string {
  if (requestTimeout === 0)
    return "# How long the app may be silent: tsgun sets no limit.\n    proxy_read_timeout 1h;";
  const limit = `--request-timeout of tsgun (${seconds(requestTimeout)}s)`;
  return `# Longer than ${limit}, which knows and logs what took so long.
    proxy_read_timeout ${seconds(requestTimeout + READ_MARGIN_MS)}s;`;
}

function bodyLimit({ limitRequestBody }: Config): string {
  return limitRequestBody === 0 ? "10m" : String(limitRequestBody);
}

export function nginxSite(deployment: Deployment): string {
  const { name, domain, config } = deployment;
  const upgrade = `$${variable(name)}_connection`;
  return `# ${name} behind nginx. For the http block: /etc/nginx/conf.d/${name}.conf

# WebSockets request an upgrade; other requests keep the connection to the server open.
map $http_upgrade ${upgrade} {
  default upgrade;
  "" "";
}
${stickyMaps(deployment)}
upstream ${name} {${upstreamServers(deployment)}${keepAlive(config)}
}

server {
  listen 80;
  listen [::]:80;
  # The domain of the site. A certificate for it: certbot --nginx -d ${domain}
  server_name ${domain};

  # Larger uploads are refused before they reach the app.
  client_max_body_size ${bodyLimit(config)};

  location / {
    proxy_pass ${config.certfile === undefined ? "http" : "https"}://${name};${stickyCookie(deployment)}
    proxy_http_version 1.1;
    proxy_set_header Connection ${upgrade};
    proxy_set_header Upgrade $http_upgrade;

    # Every field that tsgun trusts from a proxy is set or cleared here, so that no client can forge one.
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header X-Forwarded-Prefix "";
    proxy_set_header X-Request-ID $request_id;
    proxy_set_header X-Request-Start "t=\${msec}";
    proxy_set_header Forwarded "";

    ${readTimeout(config)}
  }
}
`;
}
