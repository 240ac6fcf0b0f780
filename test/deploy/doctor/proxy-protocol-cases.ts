/** The PROXY protocol on one side only. */
import type { Case } from "./rule-case.ts";

const stream = (...lines: string[]): string => `stream {
  server {
    listen 443;
    proxy_pass 127.0.0.1:8000;
    ${lines.join("\n    ")}
  }
}
`;
const SITE = "location / { proxy_pass http://127.0.0.1:8000; }";
const GROUP = `stream {
  upstream app { server unix:/run/app.sock; }
  proxy_protocol on;
  server { listen 443; proxy_pass app; }
}
`;

export const PROXY_PROTOCOL_CASES: readonly Case[] = [
  {
    rule: "nginx-proxy-header-missing",
    what: "nginx speaks HTTP to a server that requires a header from it",
    ill: { nginx: SITE, config: { proxyProtocol: "auto" } },
    well: { nginx: SITE, config: { proxyProtocol: "auto", proxyAllowFrom: "10.0.0.0/8" } },
    where: "site.conf:1",
    says: /^location \/ sends no PROXY header, which proxy-protocol \(tsgun\.config\.ts\) requires/,
  },
  {
    rule: "nginx-proxy-header-missing",
    what: "a stream without proxy_protocol",
    ill: { nginx: stream(), config: { proxyProtocol: "v1" } },
    well: { nginx: stream("proxy_protocol on;"), config: { proxyProtocol: "v1" } },
    where: "site.conf:4",
    says: /^the stream's server sends no PROXY header/,
  },
  {
    rule: "nginx-proxy-header-unread",
    what: "a stream with proxy_protocol, and a server without",
    ill: { nginx: stream("proxy_protocol on;") },
    well: { nginx: stream("proxy_protocol off;") },
    where: "site.conf:5",
    says: /nginx sends PROXY headers, and proxy-protocol \(default\) is off/,
  },
  {
    rule: "nginx-proxy-header-unread",
    what: "the other version",
    ill: { nginx: stream("proxy_protocol on;"), config: { proxyProtocol: "v2" } },
    well: { nginx: stream("proxy_protocol on;"), config: { proxyProtocol: "auto" } },
    where: "site.conf:5",
    says: /headers of version 1, and proxy-protocol .* is v2/,
  },
  {
    rule: "nginx-proxy-header-unread",
    what: "nginx is not allowed to; an upstream block, and a line that is inherited",
    ill: {
      nginx: GROUP,
      config: { bind: "unix:/run/app.sock", proxyProtocol: "v1", proxyAllowFrom: "127.0.0.1" },
    },
    well: { nginx: GROUP, config: { bind: "unix:/run/app.sock", proxyProtocol: "v1" } },
    where: "site.conf:3",
    says: /is not among proxy-allow-from/,
  },
  {
    rule: "config-proxy-everybody",
    what: "at an address for every machine",
    ill: { config: { proxyProtocol: "v2", proxyAllowFrom: "unix,0.0.0.0/0", bind: "0.0.0.0:8000" } },
    well: { config: { proxyProtocol: "v2", proxyAllowFrom: "10.0.0.0/8", bind: "0.0.0.0:8000" } },
    where: "proxy-allow-from (tsgun.config.ts)",
    says: /0\.0\.0\.0\/0.* listens at 0\.0\.0\.0:8000/,
  },
];
