/** Certificates that end, and files that do not fit. */
import type { CertificateStrength } from "../../../src/tls/strength.ts";
import type { Case } from "./rule-case.ts";

const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-01-01T00:00:00Z");
/** A server of TLS with a certificate for each list of names: the files are 1.pem, 2.pem, … */
const named = (...names: string[][]) => ({
  machine: {
    certificates: {
      now: NOW,
      found: names.map((each, index) => ({
        file: `${index + 1}.pem`,
        names: each,
        notAfter: NOW + 90 * DAY_MS,
      })),
      admin: [],
      chains: [],
      warnings: [],
    },
  },
});
const TLS = { certfile: "1.pem", bind: "10.0.0.5:8443" };
const PUBLIC = { certfile: "1.pem", bind: "0.0.0.0:443" };
/** proxy_pass is in line 4, what follows it begins in line 5. */
const site = (target: string, ...lines: string[]): string =>
  `server {
  server_name shop.test www.shop.test;
  location / {
    proxy_pass ${target};
    ${lines.join("\n    ")}
  }
}
`;
const VERIFIED = site("https://10.0.0.5:8443", "proxy_ssl_verify on;", "proxy_ssl_name shop.test;");
const SENT = site(
  "https://10.0.0.5:8443",
  "proxy_ssl_verify on;",
  "proxy_ssl_name shop.test;",
  "proxy_ssl_server_name on;",
);
/** The names are in lines 3 and 4. */
const stream = (server: string): string => `stream {
  map $ssl_preread_server_name $to {
    shop.test tsgun;
    .old.test tsgun;
    blog.test other;
    default other;
  }
  upstream tsgun { server 10.0.0.5:8443; }
  upstream other { server 10.0.0.9:8443; }
  server { ${server} }
}
`;
const PREREAD = stream("listen 443; ssl_preread on; proxy_pass $to;");

const strength = (links: readonly Partial<CertificateStrength>[]) => ({
  machine: {
    certificates: {
      ...named([]).machine.certificates,
      found: [],
      chains: [
        {
          file: "/etc/site.pem",
          links: links.map((link) => ({
            subject: "shop.test",
            key: "rsa",
            bits: 2048,
            weakHash: undefined,
            ...link,
          })),
        },
      ],
    },
  },
});

const left = (days: number) => ({
  machine: {
    certificates: {
      now: NOW,
      found: [{ file: "/etc/site.pem", names: ["shop.test"], notAfter: NOW + days * DAY_MS }],
      admin: [],
      chains: [],
      warnings: [],
    },
  },
});
const noted = (warnings: readonly string[], fault?: string) => ({
  machine: {
    certificates: {
      now: NOW,
      found: [],
      admin: [],
      chains: [],
      warnings,
      ...(fault !== undefined && { fault }),
    },
  },
});

export const CERTIFICATES_CASES: readonly Case[] = [
  {
    rule: "tls-ends-now",
    what: "six days left",
    ill: left(6),
    well: left(90),
    where: "/etc/site.pem",
    says: /^the certificate of shop\.test ends on 2026-01-07, in 6 days$/,
  },
  {
    rule: "tls-ends-soon",
    what: "29 days left",
    ill: left(29),
    well: left(30),
    where: "/etc/site.pem",
    says: /in 29 days$/,
  },
  {
    rule: "tls-unusable",
    what: "a key that does not fit",
    ill: noted([], "keyfile: a.key is not the key of the certificate in a.pem"),
    well: noted([]),
    where: "the files of TLS",
    says: /^keyfile: a\.key is not the key/,
  },
  {
    rule: "tls-odd",
    what: "a key that others can read",
    ill: noted(["keyfile: other users may read or write a.key"]),
    well: noted([]),
    where: "the files of TLS",
    says: /^keyfile: other users may read/,
  },
  {
    rule: "nginx-plain-to-tls",
    what: "plain HTTP to a server of TLS",
    ill: { nginx: "location / { proxy_pass http://127.0.0.1:8000; }", config: { certfile: "a.pem" } },
    well: { nginx: "location / { proxy_pass https://127.0.0.1:8000; }", config: { certfile: "a.pem" } },
    where: "site.conf:1",
    says: /^location \/ speaks plain HTTP to tsgun, which has certfile \(tsgun\.config\.ts\)/,
  },
  {
    rule: "tls-ends-soon",
    what: "the certificate of the admin listener",
    ill: {
      machine: {
        certificates: {
          ...named().machine.certificates,
          admin: [{ file: "admin.pem", names: [], notAfter: NOW + 8 * DAY_MS }],
        },
      },
    },
    well: named(),
    where: "admin.pem",
    says: /^the certificate ends on 2026-01-09, in 8 days$/,
  },
  {
    rule: "tls-weak",
    what: "a key of RSA with less than 2048 bits",
    ill: strength([{ bits: 1024 }]),
    well: strength([{}]),
    where: "/etc/site.pem",
    says: /^the certificate \(shop\.test\) has a key of RSA with 1024 bits, less than 2048$/,
  },
  {
    rule: "tls-weak",
    what: "a small curve; other keys have no such size",
    ill: strength([{ key: "ec", bits: 192 }]),
    well: strength([
      { key: "ec", bits: 256 },
      { key: "ec", bits: undefined },
      { key: "ed25519", bits: undefined },
    ]),
    where: "/etc/site.pem",
    says: /a key of EC with 192 bits, less than 224$/,
  },
  {
    rule: "tls-weak",
    what: "a signature with SHA-1 in the chain",
    ill: strength([{}, { subject: "An authority", weakHash: "SHA-1" }]),
    well: strength([{}, { subject: "An authority" }]),
    where: "/etc/site.pem",
    says: /^certificate number 2 \(An authority\) is signed with SHA-1$/,
  },
  {
    rule: "nginx-tls-name",
    what: "the name that nginx verifies",
    ill: { nginx: VERIFIED, config: TLS, ...named(["a.test", "*.b.test"]) },
    well: { nginx: VERIFIED, config: TLS, ...named(["shop.test"]) },
    where: "site.conf:6",
    says: /^nginx verifies the name shop\.test \(proxy_ssl_name shop\.test\), and the certificate 1\.pem is for a\.test, \*\.b\.test$/,
  },
  {
    rule: "nginx-tls-name",
    what: "it verifies only where it is told to",
    ill: { nginx: VERIFIED, config: TLS, ...named(["a.test"]) },
    well: { nginx: VERIFIED.replace("verify on", "verify off"), config: TLS, ...named(["a.test"]) },
    where: "site.conf:6",
    says: /shop\.test/,
  },
  {
    rule: "nginx-tls-name",
    what: "the second certificate, for which nginx does not ask",
    ill: { nginx: VERIFIED, config: TLS, ...named(["a.test"], ["shop.test"]) },
    well: { nginx: SENT, config: TLS, ...named(["a.test"], ["shop.test"]) },
    where: "site.conf:6",
    says: /1\.pem is for a\.test: nginx does not ask for 2\.pem$/,
  },
  {
    rule: "nginx-tls-name",
    what: "by default the host of proxy_pass, here an address",
    ill: {
      nginx: site("https://10.0.0.5:8443/x", "proxy_ssl_verify on;"),
      config: TLS,
      ...named(["shop.test"]),
    },
    well: {
      nginx: site("https://shop.test:8443/x", "proxy_ssl_verify on;"),
      config: TLS,
      ...named(["shop.test"]),
    },
    where: "site.conf:5",
    says: /the name 10\.0\.0\.5 \(the host of proxy_pass\)/,
  },
  {
    rule: "nginx-tls-name",
    what: "the names of the site, by $host",
    ill: {
      nginx: VERIFIED.replace("name shop.test;\n  }", "name $host;\n  }"),
      config: TLS,
      ...named(["shop.test"]),
    },
    well: {
      nginx: VERIFIED.replace("name shop.test;\n  }", "name $host;\n  }"),
      config: TLS,
      ...named(["shop.test", "*.shop.test"]),
    },
    where: "site.conf:6",
    says: /the name www\.shop\.test \(proxy_ssl_name \$host\)/,
  },
  {
    rule: "tls-name-missing",
    what: "a site whose names the server serves itself, on port 443",
    ill: { nginx: site("https://10.0.0.5:443"), config: PUBLIC, ...named(["shop.test"]) },
    well: { nginx: site("https://10.0.0.5:443"), config: PUBLIC, ...named(["shop.test"], ["*.shop.test"]) },
    where: "site.conf:4",
    says: /^clients may ask tsgun itself for www\.shop\.test \(tsgun's bind has port 443 for everybody\), and the certificate 1\.pem is for shop\.test$/,
  },
  {
    rule: "tls-name-missing",
    what: "on another port clients come by nginx",
    ill: { nginx: site("https://10.0.0.5:443"), config: PUBLIC, ...named(["shop.test"]) },
    well: { nginx: site("https://10.0.0.5:8443"), config: TLS, ...named(["shop.test"]) },
    where: "site.conf:4",
    says: /www\.shop\.test/,
  },
  {
    rule: "tls-name-missing",
    what: "names that nginx passes on by a map, not those of other servers",
    ill: { nginx: PREREAD, config: TLS, ...named(["shop.test", "*.old.test"]) },
    well: { nginx: PREREAD, config: TLS, ...named(["shop.test", "old.test", "*.old.test"]) },
    where: "site.conf:4",
    says: /ask tsgun itself for old\.test \(nginx passes TLS on unread\)/,
  },
  {
    rule: "tls-name-missing",
    what: "the name of a server of a stream; not if nginx ends TLS there",
    ill: {
      nginx: stream("server_name shop.test; listen 443; proxy_pass tsgun;"),
      config: TLS,
      ...named(["a.test"]),
    },
    well: {
      nginx: stream("server_name shop.test; listen 443 ssl; proxy_pass tsgun;"),
      config: TLS,
      ...named(["a.test"]),
    },
    where: "site.conf:10",
    says: /shop\.test/,
  },
];
