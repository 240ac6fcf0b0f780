/** Certificates that end, and files that do not fit. */
import type { Case } from "./rule-case.ts";

const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-01-01T00:00:00Z");
const left = (days: number) => ({
  machine: {
    certificates: {
      now: NOW,
      found: [{ file: "/etc/site.pem", names: ["shop.test"], notAfter: NOW + days * DAY_MS }],
      warnings: [],
    },
  },
});
const noted = (warnings: readonly string[], fault?: string) => ({
  machine: { certificates: { now: NOW, found: [], warnings, ...(fault !== undefined && { fault }) } },
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
];
