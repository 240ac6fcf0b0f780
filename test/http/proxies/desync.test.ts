/**
 * Checks that we read as nginx and HAProxy do what they forward: the corpus by every way through the proxies, and generated connections.
 * Longer: `npm run fuzz -- --subject nginx` or `--subject haproxy`.
 *
 *     TSGUN_PROXY_CASES    number of generated connections for each proxy
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasComponent } from "../../support/component.ts";
import { readCorpus } from "../corpus.ts";
import { generatedCase } from "../differential/case.ts";
import { openProxied } from "./proxied-subject.ts";

const SEED = 9112;
const CASES = Number(process.env.TSGUN_PROXY_CASES ?? 10_000);

/** Takes the items one by one for each of `lanes`. Fails at the first error, with its label. */
async function inLanes<Item, Lane>(
  items: readonly Item[],
  lanes: readonly Lane[],
  work: (item: Item, lane: Lane) => Promise<void>,
): Promise<void> {
  let next = 0;
  const run = async (lane: Lane): Promise<void> => {
    while (next < items.length) {
      const item = items[next] as Item;
      next += 1;
      await work(item, lane).catch((error: unknown) => {
        next = items.length;
        throw error;
      });
    }
  };
  await Promise.all(lanes.map(run));
}

for (const name of ["nginx", "haproxy"] as const) {
  test(`what ${name} forwards is read the same`, { timeout: 280_000 }, async (context) => {
    if (!hasComponent(context, name)) return;
    const subject = await openProxied(name, 2);
    context.after(() => subject.close());

    await context.test("the corpus, by every way", async (t) => {
      const corpus = readCorpus();
      let forwarded = 0;
      // Each lane has the whole corpus: they differ in what the proxy does, and in the server behind it.
      const ways = subject.all.slice(0, subject.all.length / 2);
      await Promise.all(
        ways.map(async (lane) => {
          for (const item of corpus) {
            try {
              const count = await lane.check([item.bytes]);
              forwarded += count;
            } catch (error) {
              throw new Error(`${item.name}: ${(error as Error).message}`, { cause: error });
            }
          }
        }),
      );
      t.diagnostic(`${corpus.length} cases by ${ways.length} ways, ${forwarded} requests forwarded`);
      assert.ok(forwarded > corpus.length, `only ${forwarded} requests were forwarded`);
    });

    await context.test(`${CASES} generated connections`, async (t) => {
      const counts = new Map<string, number>();
      const numbers = Array.from({ length: CASES }, (_, number) => number);
      await inLanes(numbers, subject.all, async (number) => {
        const item = generatedCase(SEED, number);
        try {
          const count = await subject.check(item);
          counts.set(count, (counts.get(count) ?? 0) + 1);
        } catch (error) {
          throw new Error(`seed ${SEED}, case ${number}: ${JSON.stringify(item.text)}\n${error}`, {
            cause: error,
          });
        }
      });
      t.diagnostic([...counts].map(([count, cases]) => `${count}: ${cases}`).join(", "));
      assert.ok((counts.get("1 forwarded") ?? 0) > CASES / 20, "too few cases were forwarded");
    });
  });
}
