/** Certificates that end, and files of TLS that cannot be used. */
import { dayOf, daysLeft } from "../../../tls/certificate.ts";
import type { Facts } from "../facts.ts";
import type { Match, Rule } from "../finding.ts";

/** A renewal by ACME comes 30 days before the end; one that has not come a week before does not come by itself. */
const SOON_DAYS = 30;
const URGENT_DAYS = 7;

function unusable({ machine }: Facts): Match[] {
  const { fault } = machine.certificates ?? {};
  return fault === undefined ? [] : [{ where: "the files of TLS", what: fault }];
}

function odd({ machine }: Facts): Match[] {
  const { warnings = [] } = machine.certificates ?? {};
  return warnings.map((what) => ({ where: "the files of TLS", what }));
}

/** Certificates with `from` to `to` days left, the latter excluded. */
function ending({ machine }: Facts, from: number, to: number): Match[] {
  const { found = [], now = 0 } = machine.certificates ?? {};
  return found.flatMap(({ file, names, notAfter }) => {
    const left = daysLeft(notAfter, now);
    if (left < from || left >= to) return [];
    const of = names.length === 0 ? "the certificate" : `the certificate of ${names.join(", ")}`;
    return [
      { where: file, what: `${of} ends on ${dayOf(notAfter)}, in ${left === 1 ? "1 day" : `${left} days`}` },
    ];
  });
}

const RENEW = "renew it (certbot renew), then tsgun ctl reload";

export const CERTIFICATES: readonly Rule[] = [
  {
    id: "tls-unusable",
    level: "error",
    title: "a certificate or key is missing, cannot be read, or does not fit",
    breaks: "The server does not start, and a reload fails.",
    mend: "correct the file or the setting",
    check: unusable,
  },
  {
    id: "tls-odd",
    level: "warning",
    title:
      "a certificate has expired or is not valid yet, its chain is in the wrong order, or others can read its key",
    breaks: "Clients refuse the server, or somebody else can pass for it.",
    mend: "renew the certificate, write the server's own certificate first, or chmod o= the key",
    check: odd,
  },
  {
    id: "tls-ends-now",
    level: "error",
    title: `a certificate ends within ${URGENT_DAYS} days`,
    breaks: "From then on every client refuses the server.",
    mend: RENEW,
    check: (facts) => ending(facts, 0, URGENT_DAYS),
  },
  {
    id: "tls-ends-soon",
    level: "warning",
    title: `a certificate ends within ${SOON_DAYS} days`,
    breaks: "From then on every client refuses the server.",
    mend: RENEW,
    check: (facts) => ending(facts, URGENT_DAYS, SOON_DAYS),
  },
];
