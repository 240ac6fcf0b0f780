/** Each rule of `tsgun doctor`, with a situation in which it finds something and one in which it does not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFileLine } from "../../../src/deploy/doctor/file-line.ts";
import { diagnose } from "../../../src/deploy/doctor/finding.ts";
import { RULES } from "../../../src/deploy/doctor/rules.ts";
import { factsOf, type Situation } from "../../support/doctor.ts";
import { CERTIFICATES_CASES } from "./certificates-cases.ts";
import { CONFIGURATION_CASES } from "./configuration-cases.ts";
import { ENVIRONMENT_CASES } from "./environment-cases.ts";
import { KUBERNETES_CASES } from "./kubernetes-cases.ts";
import { MACHINE_CASES } from "./machine-cases.ts";
import { NGINX_CASES } from "./nginx-cases.ts";
import { PROXY_PROTOCOL_CASES } from "./proxy-protocol-cases.ts";
import type { Case } from "./rule-case.ts";
import { SYSTEMD_CASES } from "./systemd-cases.ts";
import { TRUSTED_FILES_CASES } from "./trusted-files-cases.ts";

const CASES: readonly Case[] = [
  ...NGINX_CASES,
  ...CERTIFICATES_CASES,
  ...PROXY_PROTOCOL_CASES,
  ...SYSTEMD_CASES,
  ...KUBERNETES_CASES,
  ...CONFIGURATION_CASES,
  ...ENVIRONMENT_CASES,
  ...MACHINE_CASES,
  ...TRUSTED_FILES_CASES,
];

for (const { rule: id, what, ill, well, where, says } of CASES) {
  test(`${id}: ${what}`, async () => {
    const found = async (situation: Situation) =>
      diagnose(RULES, await factsOf(situation)).filter(({ rule }) => rule === id);
    const [first, ...rest] = await found(ill);
    assert.ok(first !== undefined, "nothing is found");
    assert.equal(first.where, where);
    assert.match(first.what, says);
    assert.ok(first.breaks.length > 0 && first.mend.length > 0);
    assert.deepEqual(rest, []);
    assert.deepEqual(await found(well), []);
  });
}

test("every rule has a positive and a negative case, and a unique id", () => {
  assert.deepEqual(new Set(CASES.map(({ rule }) => rule)), new Set(RULES.map(({ id }) => id)));
  assert.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length);
});

test("the fix for kept connections names a suitable time, or the defaults", async () => {
  const mendFor = async (keepAlive: string): Promise<string | undefined> => {
    const nginx =
      "upstream a { server 127.0.0.1:8000; keepalive 2; keepalive_timeout 1h; }\nlocation / { proxy_pass http://a; }";
    const findings = diagnose(RULES, await factsOf({ nginx, config: { keepAlive } }));
    return findings.find(({ rule }) => rule === "nginx-keepalive-longer")?.mend;
  };
  assert.equal(await mendFor("5m"), "write keepalive_timeout 60s; in the upstream block");
  assert.match((await mendFor("20s")) ?? "", /^write keepalive_timeout 5s; .*, or remove tsgun's keep-alive/);
  assert.equal(await mendFor("5s"), "remove tsgun's keep-alive and keepalive_timeout");
});

test("errors come first, and duplicate findings are reported once", async () => {
  const [rule] = RULES;
  assert.ok(rule !== undefined);
  const twice = { where: formatFileLine({ file: "a", line: 1 }), what: "wrong" };
  const findings = diagnose(
    [
      { ...rule, id: "later", level: "warning", check: () => [twice, twice] },
      { ...rule, id: "first", level: "error", check: () => [twice] },
    ],
    await factsOf({}),
  );
  assert.deepEqual(
    findings.map(({ rule: id, level }) => [id, level]),
    [
      ["first", "error"],
      ["later", "warning"],
    ],
  );
});
