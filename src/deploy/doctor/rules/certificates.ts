/** Certificates that end, and files of TLS that cannot be used. */
import { dayOf, daysLeft } from "../../../tls/certificate.ts";
import type { CertificateStrength } from "../../../tls/strength.ts";
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
  const { found = [], admin = [], now = 0 } = machine.certificates ?? {};
  return [...found, ...admin].flatMap(({ file, names, notAfter }) => {
    const left = daysLeft(notAfter, now);
    if (left < from || left >= to) return [];
    const of = names.length === 0 ? "the certificate" : `the certificate of ${names.join(", ")}`;
    return [
      { where: file, what: `${of} ends on ${dayOf(notAfter)}, in ${left === 1 ? "1 day" : `${left} days`}` },
    ];
  });
}

/** Sizes below which OpenSSL refuses keys at its level 2 (SSL_CTX_set_security_level), as do browsers. */
const LEAST_BITS: { readonly [key: string]: number } = { rsa: 2048, "rsa-pss": 2048, dsa: 2048, ec: 224 };

function weaknesses({ key, bits, weakHash }: CertificateStrength): string[] {
  const least = LEAST_BITS[key] ?? 0;
  return [
    ...(bits !== undefined && bits < least
      ? [`has a key of ${key.toUpperCase()} with ${bits} bits, less than ${least}`]
      : []),
    ...(weakHash === undefined ? [] : [`is signed with ${weakHash}`]),
  ];
}

function weak({ machine }: Facts): Match[] {
  return (machine.certificates?.chains ?? []).flatMap(({ file, links }) =>
    links.flatMap((link, index) =>
      weaknesses(link).map((weakness) => ({
        where: file,
        what: `${index === 0 ? "the certificate" : `certificate number ${index + 1}`} (${link.subject}) ${weakness}`,
      })),
    ),
  );
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
    id: "tls-weak",
    level: "warning",
    title: `a certificate, or one of its chain or of \`ca-certs\`, has a key of RSA below ${LEAST_BITS.rsa} bits or of an elliptic curve below ${LEAST_BITS.ec}, or is signed with SHA-1 or MD5`,
    breaks:
      "Browsers and other clients refuse it, and so does a newer Node (24 and later): the server would not start.",
    mend: "make a new key (openssl ecparam -name prime256v1 -genkey) and have its certificate signed with SHA-256",
    check: weak,
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
