/** nginx in front of the server. */
import type { Situation } from "../../support/doctor.ts";
import type { Case } from "./rule-case.ts";

const SOCKET = { bind: "unix:/run/shop.sock" };

/** Lines 1 to 3 are the upstream, line 6 is proxy_pass, what is in `location` begins in line 7. */
function site(
  location: readonly string[] = [],
  upstream: readonly string[] = [],
  server = "unix:/run/shop.sock",
): string {
  return `upstream shop {
  server ${server}; ${upstream.join(" ")}
}
server {
  location / {
    proxy_pass http://shop;
    ${location.join("\n    ")}
  }
}
`;
}

const FIELDS = [
  "proxy_set_header Host $http_host;",
  "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
  "proxy_set_header X-Forwarded-Proto $scheme;",
  "proxy_set_header X-Forwarded-Host $http_host;",
  "proxy_set_header X-Forwarded-Port $server_port;",
  'proxy_set_header X-Forwarded-Prefix "";',
  "proxy_set_header X-Request-ID $request_id;",
  'proxy_set_header Forwarded "";',
];
const KEPT = ["proxy_http_version 1.1;", 'proxy_set_header Connection "";'];

function behind(
  nginx: string,
  config: Situation["config"] = SOCKET,
  machine: Situation["machine"] = {},
): Situation {
  return { nginx, config, machine };
}

const without = (name: string): string[] => FIELDS.filter((line) => !line.includes(` ${name} `));

export const NGINX_CASES: readonly Case[] = [
  {
    rule: "nginx-nobody-there",
    what: "another socket",
    ill: behind(site([], [], "unix:/run/ship.sock")),
    well: behind(site()),
    where: "site.conf:6",
    says: /connects to unix:\/run\/ship\.sock, but tsgun listens at unix:\/run\/shop\.sock/,
  },
  {
    rule: "nginx-nobody-there",
    what: "another port; 0.0.0.0 matches every host",
    ill: behind(site([], [], "127.0.0.1:8001"), { bind: "0.0.0.0:8000" }),
    well: behind(site([], [], "127.0.0.1:8000"), { bind: "0.0.0.0:8000" }),
    where: "site.conf:6",
    says: /connects to 127\.0\.0\.1:8001, but tsgun listens at 0\.0\.0\.0:8000/,
  },
  {
    rule: "nginx-nobody-there",
    what: "from another machine to one that listens at loopback",
    ill: behind(site([], [], "app.internal:8000"), { bind: "127.0.0.1:8000" }),
    well: behind(site([], [], "app.internal:8000"), { bind: "10.0.0.5:8000" }),
    where: "site.conf:6",
    says: /app\.internal:8000/,
  },
  {
    rule: "nginx-nobody-there",
    what: "without an upstream block, and with one of systemd's sockets",
    ill: {
      ...behind("location / {\n  proxy_pass http://unix:/run/ship.sock:/;\n}"),
      socket: "[Socket]\nListenStream=/run/shop.sock",
    },
    well: {
      ...behind("location / {\n  proxy_pass http://unix:/run/shop.sock:/x;\n}", {}),
      socket: "[Socket]\nListenStream=/run/shop.sock",
    },
    where: "site.conf:2",
    says: /ship\.sock/,
  },
  {
    rule: "nginx-tls-to-plain",
    what: "https to tsgun",
    ill: behind("location / {\n  proxy_pass https://127.0.0.1:8000;\n}", {}),
    well: behind(
      "location / {\n  proxy_pass http://127.0.0.1:8000;\n}\nlocation /x {\n  proxy_pass https://other.example.com;\n}",
      {},
    ),
    where: "site.conf:2",
    says: /speaks TLS/,
  },
  {
    rule: "nginx-keepalive-longer",
    what: "nginx's default of 60s",
    ill: behind(site(KEPT, ["keepalive 8;"]), { ...SOCKET, keepAlive: "60s" }),
    well: behind(site(KEPT, ["keepalive 8;"])),
    where: "site.conf:1",
    says: /for 60s \(its default\), tsgun for 60s/,
  },
  {
    rule: "nginx-keepalive-longer",
    what: "a time of its own",
    ill: behind(site(KEPT, ["keepalive 8;", "keepalive_timeout 2m;"])),
    well: behind(site(KEPT, ["keepalive 8;", "keepalive_timeout 1m 10s;"])),
    where: "site.conf:2",
    says: /for 120s, tsgun for 75s/,
  },
  {
    rule: "nginx-keepalive-longer",
    what: "kept by default by nginx 1.29.7, unless it says 0",
    ill: behind(site(), { ...SOCKET, keepAlive: "5s" }, { nginxVersion: [1, 30, 0] }),
    well: behind(site([], ["keepalive 0;"]), { ...SOCKET, keepAlive: "5s" }, { nginxVersion: [1, 30, 0] }),
    where: "site.conf:1",
    says: /tsgun for 5s/,
  },
  {
    rule: "nginx-keepalive-unused",
    what: "HTTP/1.0 and Connection: close, nginx's defaults",
    ill: behind(site([], ["keepalive 8;"])),
    well: behind(site(KEPT, ["keepalive 8;"])),
    where: "site.conf:6",
    says: /lacks proxy_http_version 1\.1; and proxy_set_header Connection "";/,
  },
  {
    rule: "nginx-keepalive-unused",
    what: "not the defaults of nginx 1.29.7",
    ill: behind(site([], ["keepalive 8;"]), SOCKET, { nginxVersion: [1, 29, 6] }),
    well: behind(site([], ["keepalive 8;"]), SOCKET, { nginxVersion: [1, 29, 7] }),
    where: "site.conf:6",
    says: /proxy_http_version/,
  },
  {
    rule: "nginx-keepalive-unused",
    what: "a location with its own field does not inherit",
    ill: behind(`${KEPT.join("\n")}\n${site(FIELDS, ["keepalive 8;"])}`),
    well: behind(`${KEPT.join("\n")}\n${site([], ["keepalive 8;"])}`),
    where: "site.conf:8",
    says: /lacks proxy_set_header Connection "";/,
  },
  {
    rule: "nginx-websocket-broken",
    what: "Upgrade alone",
    ill: behind(site(["proxy_http_version 1.1;", "proxy_set_header Upgrade $http_upgrade;"])),
    well: behind(
      site([
        "proxy_http_version 1.1;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $upgrading;",
      ]),
    ),
    where: "site.conf:6",
    says: /it sends close/,
  },
  {
    rule: "nginx-websocket-broken",
    what: "HTTP/1.0",
    ill: behind(site(["proxy_set_header Upgrade $http_upgrade;", 'proxy_set_header Connection "upgrade";'])),
    well: behind(
      site([
        "proxy_set_header Upgrade $http_upgrade;",
        'proxy_set_header Connection "Upgrade";',
        KEPT[0] as string,
      ]),
    ),
    where: "site.conf:6",
    says: /over HTTP\/1\.0/,
  },
  {
    rule: "nginx-websocket-broken",
    what: "Connection alone",
    ill: behind(site(["proxy_http_version 1.1;", "proxy_set_header Connection upgrade;"])),
    well: behind(site(KEPT)),
    where: "site.conf:6",
    says: /without Upgrade/,
  },
  {
    rule: "nginx-read-timeout",
    what: "nginx's default of 60s",
    ill: behind(site(), { ...SOCKET, requestTimeout: "60s" }),
    well: behind(site()),
    where: "site.conf:6",
    says: /waits 60s \(its default\).*60s \(request-timeout\)/,
  },
  {
    rule: "nginx-read-timeout",
    what: "the innermost directive counts",
    ill: behind(`proxy_read_timeout 1h;\n${site(["proxy_read_timeout 20;"])}`),
    well: behind(`proxy_read_timeout 20;\n${site(["proxy_read_timeout 1h;"])}`),
    where: "site.conf:8",
    says: /waits 20s for/,
  },
  {
    rule: "nginx-read-timeout-default",
    what: "no limit in tsgun",
    ill: behind(site(), { ...SOCKET, requestTimeout: 0 }),
    well: behind(site(["proxy_read_timeout 1h;"]), { ...SOCKET, requestTimeout: 0 }),
    where: "site.conf:6",
    says: /gives up after 60s/,
  },
  {
    rule: "nginx-body-smaller",
    what: "nginx's default of 1m",
    ill: behind(site(), { ...SOCKET, limitRequestBody: "10MB" }),
    well: behind(site(["client_max_body_size 10m;"]), { ...SOCKET, limitRequestBody: "10MB" }),
    where: "site.conf:6",
    says: /1048576 bytes \(its default\).* 10485760/,
  },
  {
    rule: "nginx-body-larger",
    what: "no limit in nginx",
    ill: behind(site(["client_max_body_size 0;"]), { ...SOCKET, limitRequestBody: "10MB" }),
    well: behind(site(["client_max_body_size 0;"])),
    where: "site.conf:7",
    says: /bodies of any size/,
  },
  {
    rule: "nginx-untrusted",
    what: "from another machine, with the default list",
    ill: behind(site([], [], "10.0.0.9:8000"), { bind: "10.0.0.9:8000" }),
    well: behind(site([], [], "10.0.0.9:8000"), { bind: "10.0.0.9:8000", forwardedAllowIps: "10.0.0.0/8" }),
    where: "site.conf:6",
    says: /from another machine.*forwarded-allow-ips \(default\)/,
  },
  {
    rule: "nginx-untrusted",
    what: "from an address of this machine",
    ill: behind(site([], [], "10.0.0.5:8000"), { bind: "0.0.0.0:8000", forwardedAllowIps: "10.0.1.0/24" }),
    well: behind(site([], [], "10.0.0.5:8000"), { bind: "0.0.0.0:8000", forwardedAllowIps: "10.0.0.0/24" }),
    where: "site.conf:6",
    says: /connects from 10\.0\.0\.5.*\(tsgun\.config\.ts\) is 10\.0\.1\.0\/24/,
  },
  {
    rule: "nginx-untrusted",
    what: "over a Unix socket that the configured list lacks",
    ill: behind(site(), { ...SOCKET, forwardedAllowIps: "10.0.0.0/8" }),
    well: behind(site(), { ...SOCKET, forwardedAllowIps: ["10.0.0.0/8", "unix"] }),
    where: "site.conf:6",
    says: /connects over a Unix socket/,
  },
  {
    rule: "nginx-host-missing",
    what: "Host is not set",
    ill: behind(site(without("Host"))),
    well: behind(site(FIELDS)),
    where: "site.conf:6",
    says: /location \/ does not forward the requested host/,
  },
  {
    rule: "nginx-for-missing",
    what: "the client's own field is forwarded",
    ill: behind(
      site([...without("X-Forwarded-For"), "proxy_set_header X-Forwarded-For $http_x_forwarded_for;"]),
    ),
    well: behind(site(FIELDS)),
    where: "site.conf:6",
    says: /does not set X-Forwarded-For/,
  },
  {
    rule: "nginx-proto-missing",
    what: "not if tsgun reads none",
    ill: behind(site(without("X-Forwarded-Proto"))),
    well: behind(site(without("X-Forwarded-Proto")), { ...SOCKET, forwardedHeaders: "x-forwarded-for" }),
    where: "site.conf:6",
    says: /does not set X-Forwarded-Proto/,
  },
  {
    rule: "nginx-forgeable",
    what: "fields that nginx does not set and tsgun reads",
    ill: behind(site(FIELDS.slice(0, 4))),
    well: behind(site(FIELDS.slice(0, 4)), {
      ...SOCKET,
      forwardedHeaders: ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"],
    }),
    where: "site.conf:6",
    says: /the client's own X-Forwarded-Port, X-Forwarded-Prefix, X-Request-ID, Forwarded, /,
  },
  {
    rule: "nginx-bypassed",
    what: "every host, and nginx on this machine",
    ill: behind(site([], [], "127.0.0.1:8000"), { bind: "0.0.0.0:8000" }),
    well: behind(site([], [], "127.0.0.1:8000"), {}),
    where: "bind (tsgun.config.ts)",
    says: /listens at 0\.0\.0\.0:8000/,
  },
];
