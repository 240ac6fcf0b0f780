/** The names in certificates, beside those that nginx and clients ask for. */
import { isIP } from "node:net";
import { chooseByName } from "../../../server/front/server-names.ts";
import { isLoopback, pointsHere } from "../bound-addresses.ts";
import type { ExaminedCertificate, Facts } from "../facts.ts";
import { formatFileLine } from "../file-line.ts";
import type { Match, Rule } from "../finding.ts";
import { passedNames, siteNames, verifiedNames } from "../nginx-names.ts";
import { effective, lineOfDirective, type ProxyPass } from "../nginx-sites.ts";

const HTTPS_PORT = 443;

/** The certificate with this name, as the server chooses it by SNI. */
function withName(found: readonly ExaminedCertificate[], name: string): ExaminedCertificate | undefined {
  return chooseByName(
    found.map((value) => ({ names: value.names, value })),
    name,
  );
}

function described({ file, names }: ExaminedCertificate): string {
  return `${file} is for ${names.length === 0 ? "no name" : names.join(", ")}`;
}

/** Not so for an address of another machine, whatever the port: a rule of names must not take another server for this one. */
function isHere(proxyPass: ProxyPass, facts: Facts): boolean {
  const { bound, machine } = facts;
  const isOther = (host: string): boolean =>
    isIP(host) !== 0 &&
    !isLoopback(host) &&
    !machine.addresses.includes(host) &&
    !bound.some((address) => address.kind === "tcp" && address.host === host);
  const isElsewhere = proxyPass.servers.every((server) => server.kind === "tcp" && isOther(server.host));
  return !isElsewhere && pointsHere(proxyPass, facts);
}

function ownTlsPasses(facts: Facts): readonly ProxyPass[] {
  return facts.nginx.proxyPasses.filter(
    (proxyPass) => proxyPass.scheme === "https" && isHere(proxyPass, facts),
  );
}

/** nginx is shown the first certificate, unless it sends a name that another one has. */
function refusedByNginx(facts: Facts): Match[] {
  const found = facts.machine.certificates?.found ?? [];
  const [first] = found;
  if (first === undefined) return [];
  return ownTlsPasses(facts).flatMap((proxyPass): Match[] => {
    const { isSent, source, names } = verifiedNames(proxyPass) ?? { isSent: false, source: "", names: [] };
    const directive = effective(proxyPass, "proxy_ssl_name") ?? effective(proxyPass, "proxy_ssl_verify");
    return names.flatMap((name): Match[] => {
      const right = withName(found, name);
      if (right !== undefined && (isSent || right === first)) return [];
      const where = lineOfDirective(proxyPass, directive);
      const what = `nginx verifies the name ${name} (${source}), and the certificate ${described(first)}`;
      if (right !== undefined)
        return [
          {
            where,
            what: `${what}: nginx does not ask for ${right.file}`,
            mend: "write proxy_ssl_server_name on;",
          },
        ];
      const other = first.names.find((each) => !each.startsWith("*"));
      const mend = other === undefined ? undefined : `write proxy_ssl_name ${other}; next to proxy_pass`;
      return [{ where, what, ...(mend !== undefined && { mend }) }];
    });
  });
}

/** Names whose clients see the server's own certificate. */
function missingForClients(facts: Facts): Match[] {
  const found = facts.machine.certificates?.found ?? [];
  if (facts.config.certfile === undefined || found.length === 0) return [];
  const passed = facts.nginx.streamPasses
    .flatMap(passedNames)
    .filter(({ streamPass }) => isHere(streamPass, facts))
    .map(({ name, streamPass }) => ({ name, place: streamPass.place, how: "nginx passes TLS on unread" }));
  const isPublic = facts.bound.some(
    (address) => address.kind === "tcp" && address.port === HTTPS_PORT && !isLoopback(address.host),
  );
  const served = ownTlsPasses(facts).flatMap((proxyPass) =>
    siteNames(proxyPass).map((name) => ({
      name,
      place: proxyPass.place,
      how: `tsgun's bind has port ${HTTPS_PORT} for everybody`,
    })),
  );
  return [...passed, ...(isPublic ? served : [])]
    .filter(({ name }) => withName(found, name) === undefined)
    .map(({ name, place, how }) => ({
      where: formatFileLine(place),
      what: `clients may ask tsgun itself for ${name} (${how}), and ${found.map((each) => `the certificate ${described(each)}`).join(", ")}`,
    }));
}

export const CERTIFICATE_NAMES: readonly Rule[] = [
  {
    id: "nginx-tls-name",
    level: "error",
    title:
      "`proxy_ssl_verify` is on, and the certificate that tsgun shows has not the name that nginx verifies (`proxy_ssl_name`, by default the host of `proxy_pass`; never an IP address)",
    breaks: 'Every request gets 502, and nginx logs "upstream SSL certificate does not match".',
    mend: "write proxy_ssl_name with a name of the certificate, or get a certificate with that name",
    check: refusedByNginx,
  },
  {
    id: "tls-name-missing",
    level: "warning",
    title:
      "no certificate has a name that clients ask tsgun itself for: nginx's stream module passes it on (`ssl_preread`), or the site has it and `bind` has port 443 beyond loopback",
    breaks: "Clients refuse the server under that name.",
    mend: "get a certificate with that name, and add it to certfile",
    check: missingForClients,
  },
];
