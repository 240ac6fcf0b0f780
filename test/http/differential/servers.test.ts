/** The first cases of `npm run fuzz -- --subject gateway`, `node`, `tls` and `tls-node`: whole servers against the reference reader. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { generatedCase } from "./case.ts";
import { openSubject } from "./subjects.ts";

const SEED = 9110;

const CASES = { gateway: 2500, node: 1500, tls: 150, "tls-node": 100 } as const;
/** Endings that some of the cases must have, or they would test only one thing. */
const ENDINGS = {
  gateway: ["open", "closed", "incomplete", "400", "417", "501", "505"],
  node: [
    "open",
    "closed",
    "incomplete",
    "400",
    "417",
    "501",
    "505",
    "lineEndsBefore",
    "stricter: unknown method",
  ],
  tls: ["open", "closed", "incomplete", "400"],
  "tls-node": ["open", "closed", "400"],
} as const;

for (const kind of ["gateway", "node", "tls", "tls-node"] as const) {
  test(`a ${kind} app sees what is in ${CASES[kind]} generated connections, and its clients are answered`, async (t) => {
    const subject = await openSubject(kind);
    t.after(() => subject.close());
    const endings = new Map<string, number>();
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < CASES[kind]) {
        const number = next;
        next += 1;
        const item = generatedCase(SEED, number);
        try {
          const ending = await subject.check(item);
          endings.set(ending, (endings.get(ending) ?? 0) + 1);
        } catch (error) {
          next = CASES[kind];
          const text = JSON.stringify(item.text);
          throw new Error(`seed ${SEED}, case ${number}: ${text}\n${error}`, { cause: error });
        }
      }
    };
    await Promise.all(Array.from({ length: subject.lanes }, lane));
    t.diagnostic([...endings].map(([ending, count]) => `${ending} ${count}`).join(", "));
    for (const ending of ENDINGS[kind]) assert.ok(endings.has(ending), `no case ended with ${ending}`);
  });
}
