/** The page that lists the vulnerabilities of others, made from the cases. */
import type { Advisory } from "./advisory.ts";
import { H2_CASES } from "./h2-cases.ts";
import { HELD_ELSEWHERE, RESPONSE_CASES } from "./other-cases.ts";
import { REQUEST_CASES } from "./request-cases.ts";

interface Row extends Advisory {
  readonly test: string;
}

const CASES = "test/http/cves/cves.test.ts";
const H2_TEST = "test/http/cves/h2-cves.test.ts";

function rows(): Row[] {
  const cases = [...REQUEST_CASES, ...RESPONSE_CASES].map((item) => ({ ...item, test: CASES }));
  const sessions = H2_CASES.map((item) => ({ ...item, test: H2_TEST }));
  return [...cases, ...sessions, ...HELD_ELSEWHERE].sort((a, b) => (number(a) < number(b) ? -1 : 1));
}

/** The first number, in a form that sorts by year. */
function number({ cve: [first = ""] }: Advisory): string {
  return first.replace(/\d+$/, (digits) => digits.padStart(7, "0"));
}

export function vulnerabilitiesPage(): string {
  const lines = rows().map(
    ({ cve, product, was, clause, test }) =>
      `| ${cve.join(", ")} | ${product} | ${was.replaceAll("|", "\\|")} | ${clause.replace(/^none: /, "")} | \`${test}\` |`,
  );
  return `<!-- Made by npm run generate from test/http/cves. -->

# Vulnerabilities of others

Published vulnerabilities of other servers and parsers, each with the rule that decides it and the test that shows that tsgun
does not have it: on the engine (gateway and fetch apps) and on Node's server (node listeners). They concern how requests are
read and responses framed, and what slow or many clients can do. \`node test/run.mjs http/cves\` runs the cases.

| number | product | the fault | decided by | test |
| --- | --- | --- | --- | --- |
${lines.join("\n")}
`;
}
