/** Every published vulnerability of this kind in other servers, as a case: what was smuggled is never seen by an app. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ProxyRules } from "../../../src/exchange/proxy-rules.ts";
import { RawClient, startEngine, statuses } from "../../support/engine.ts";
import { startNodeEngine } from "../../support/node-engine.ts";
import { type Outcome, type ServerKind, SocketLane } from "../differential/socket-lane.ts";
import { singly } from "../drive.ts";
import type { Advisory, RequestCase, ResponseCase } from "./advisory.ts";
import { H2_CASES } from "./h2-cases.ts";
import { HELD_ELSEWHERE, RESPONSE_CASES } from "./other-cases.ts";
import { REQUEST_CASES } from "./request-cases.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const ALL: readonly Advisory[] = [...REQUEST_CASES, ...RESPONSE_CASES, ...H2_CASES, ...HELD_ELSEWHERE];

function label({ cve, product, was }: Advisory): string {
  return `${cve.join(", ")} (${product}): ${was}`;
}

/** The final statuses behind those of the requests that the app has seen. */
function refusals({ seen, received }: Outcome): number[] {
  return statuses(received).slice(seen.length);
}

function check(item: RequestCase, kind: ServerKind, outcome: Outcome): void {
  const expected = kind === "node" ? { ...item, ...item.node } : item;
  assert.deepEqual(
    outcome.seen.map(({ method, target, body }) => `${method} ${target} ${body}`),
    expected.sees,
    "what the app saw",
  );
  assert.ok(!outcome.begun.some(({ target }) => target === "/hidden"), "a smuggled request began");
  const refused = expected.refused === undefined ? [] : [expected.refused];
  assert.deepEqual(refusals(outcome), refused, "the responses behind them");
}

for (const kind of ["gateway", "node"] as const) {
  test(`${REQUEST_CASES.length} cases of requests on a ${kind} app`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tsgun-cves-"));
    const lane = await SocketLane.open(kind, join(folder, "app.sock"));
    t.after(() => {
      lane.close();
      rmSync(folder, { recursive: true, force: true });
    });
    for (const item of REQUEST_CASES) {
      await t.test(label(item), async () => {
        const bytes = Buffer.from(item.bytes, "latin1");
        check(item, kind, await lane.ask([bytes]));
        // Long ones take as many turns as bytes, and say no more.
        if (bytes.length < 1000) check(item, kind, await lane.ask(singly(bytes)));
      });
    }
  });
}

/** A field that an app cannot send is an error of the app: 500, and nothing of the field. */
async function checkField({ field: [name, value] }: ResponseCase, client: RawClient): Promise<void> {
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const received = await client.rest();
  assert.deepEqual(statuses(received), [500]);
  assert.doesNotMatch(received, /injected/i, `${name}: ${value} was sent`);
}

describe("fields of responses that an app makes of what a client sent", () => {
  for (const item of RESPONSE_CASES) {
    test(`gateway: ${label(item)}`, async (t) => {
      const engine = await startEngine(t, (_request, respond) => respond(200, [[...item.field]], "ok"));
      await checkField(item, await engine.connect());
    });
    test(`node: ${label(item)}`, async (t) => {
      const listener = (
        _request: unknown,
        response: { setHeader: (name: string, value: string) => unknown },
      ) => void response.setHeader(...(item.field as [string, string]));
      const engine = await startNodeEngine(t, listener, { onError: () => {} });
      await checkField(item, await engine.client());
    });
  }
});

test("CVE-2016-5325 (node): a reason phrase with line ends is not sent", async (t) => {
  const engine = await startNodeEngine(
    t,
    (_request, response) => void response.writeHead(200, "OK\r\nInjected: yes").end(),
    { onError: () => {} },
  );
  const client = await engine.client();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const received = await client.rest();
  assert.deepEqual(statuses(received), [500]);
  assert.doesNotMatch(received, /injected/i);
});

test("CVE-2024-45614 (puma): a field with an underscore is not the one that a trusted proxy sends", async (t) => {
  const seen: unknown[] = [];
  const engine = await startEngine(
    t,
    (request, respond) => {
      seen.push([request.remote.address, request.scheme, request.headers["x-forwarded-for"]]);
      respond(200, {}, "ok");
    },
    { proxyRules: new ProxyRules(["127.0.0.1"]) },
  );
  const forged = "X_Forwarded_For: 6.6.6.6\r\nX_Forwarded_Proto: https\r\n";
  const proxied = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n";
  for (const fields of [forged + proxied, proxied + forged])
    await engine.exchange(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  assert.deepEqual(seen, [
    ["192.0.2.1", "http", "192.0.2.1"],
    ["192.0.2.1", "http", "192.0.2.1"],
  ]);
});

test("the tests that hold the others exist", () => {
  for (const item of HELD_ELSEWHERE)
    assert.ok(existsSync(join(ROOT, item.test)), `${label(item)}: ${item.test}`);
});

test("each entry has a number, a clause and a sentence", () => {
  for (const item of ALL) {
    assert.ok(item.cve.length > 0);
    for (const number of item.cve) assert.match(number, /^CVE-\d{4}-\d{4,}$/);
    assert.match(item.clause, /^(?:RFC \d+ section \d[\d.]*|none: .+)$/, label(item));
    assert.match(item.was, /^[A-Z].*\.$/s, label(item));
  }
});

test("a case that is not refused would fail: plain node sees what it lets through", async (t) => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url ?? "");
    response.end();
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const client = new RawClient(connect((server.address() as AddressInfo).port, "127.0.0.1"));
  // Two Host fields: node passes the request on, and a proxy may have routed it by the other one.
  client.socket.end("GET /two-hosts HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n");
  await client.rest();
  assert.deepEqual(seen, ["/two-hosts"]);
});

test("docs/vulnerabilities.md lists them all", () => {
  const text = readFileSync(join(ROOT, "docs", "vulnerabilities.md"), "utf8");
  for (const { cve } of ALL) for (const number of cve) assert.ok(text.includes(number), number);
});
