import assert from "node:assert/strict";
import { test } from "node:test";
import { attribute, type Evidence, type Loss } from "./attribution.ts";

const LOSS: Loss = {
  client: "TCP",
  kind: "reset",
  text: "ECONNRESET",
  since: 10_000,
  at: 12_000,
  id: "tcp-7",
  pid: 41,
};
const death = (pid: number, at: number, listed?: readonly string[]) => ({ pid, at, why: "SIGKILL", listed });
const judge = (loss: Partial<Loss>, evidence: Partial<Evidence>): string => {
  const verdict = attribute({ ...LOSS, ...loss }, { ran: new Map(), deaths: [], gaps: [], ...evidence });
  return verdict.by === "journal" ? `journal ${verdict.isListed}` : verdict.by;
};

test("a lost request belongs to the process that ran it, if that was killed meanwhile", () => {
  const ran = new Map([["tcp-7", [42]]]);
  assert.equal(judge({}, { ran, deaths: [death(42, 12_010)] }), "journal true");
  assert.equal(judge({}, { ran, deaths: [death(42, 12_010, ["/request/1?id=tcp-7"])] }), "journal true");
  assert.equal(judge({}, { ran, deaths: [death(42, 12_010, ["/request/1?id=tcp-8"])] }), "journal false");
  // Another one was killed, or this one at another time.
  assert.equal(judge({}, { ran, deaths: [death(41, 12_010)] }), "nothing");
  assert.equal(judge({}, { ran, deaths: [death(42, 20_000)] }), "nothing");
  assert.equal(judge({}, { ran }), "nothing");
});

test("a request that no app had belongs to its connection's process, or to one killed at that moment", () => {
  assert.equal(judge({}, { deaths: [death(41, 11_000)] }), "connection");
  assert.equal(judge({ pid: undefined }, { deaths: [death(41, 11_990)] }), "time");
  assert.equal(judge({ pid: undefined }, { deaths: [death(41, 10_100)] }), "nothing");
});

test("a client is refused only while no server is there", () => {
  const refused = { kind: "refused", id: undefined, pid: undefined };
  assert.equal(judge(refused, { gaps: [{ from: 11_000, to: 13_000 }] }), "gap");
  assert.equal(judge(refused, { deaths: [death(41, 12_000)] }), "nothing");
});
