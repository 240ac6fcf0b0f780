/** The first cases of `npm run fuzz`, each time the same. A longer run is a command: `npm run fuzz -- --seconds 600`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../support/random.ts";
import { generatedCase } from "./case.ts";
import { checkEngine, endingOf } from "./engine-check.ts";
import { SENTINEL } from "./grammar.ts";
import { minimise } from "./minimise.ts";

const SEED = 9112;
const CASES = 4000;

test(`the parser reads ${CASES} generated connections as the reference does`, (context) => {
  const endings = new Map<string, number>();
  let reachedSentinel = 0;
  for (let number = 0; number < CASES; number += 1) {
    const { text, limits, seed } = generatedCase(SEED, number);
    try {
      const reading = checkEngine(Buffer.from(text, "latin1"), limits, new Random(seed));
      const ending = endingOf(reading);
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
      if (reading.requests.at(-1)?.target === "/sentinel") reachedSentinel += 1;
    } catch (error) {
      throw new Error(`seed ${SEED}, case ${number}: ${JSON.stringify({ text, limits })}\n${error}`, {
        cause: error,
      });
    }
  }
  context.diagnostic([...endings].map(([ending, count]) => `${ending} ${count}`).join(", "));
  // Cases that all ended in the same way would test only one thing.
  for (const ending of [
    "open",
    "closed",
    "upgrade",
    "incomplete",
    "400",
    "413",
    "414",
    "417",
    "431",
    "501",
    "505",
  ])
    assert.ok(endings.has(ending), `no case ended with ${ending}`);
  assert.ok(reachedSentinel > CASES / 10, `only ${reachedSentinel} cases reached their last request`);
});

test("a failing case is made small", async () => {
  const fails = (text: string): boolean => text.includes("\n ") && text.includes("HTTP/1.1");
  const text = await minimise(`GET /abc HTTP/1.1\r\nHost: a.example\r\n X: y\r\n\r\n${SENTINEL}`, fails);
  assert.equal(text.length, "HTTP/1.1\n ".length);
  assert.ok(fails(text));
});
