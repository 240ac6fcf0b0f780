/** Each case of the corpus has the same verdict, events and content for every split of its bytes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CorpusCase, readCorpus, readingOf } from "./corpus.ts";
import { CORPUS_LIMITS, cut, drive, singly } from "./drive.ts";
import { readByReference } from "./reference.ts";

/** Up to this length every two-way split is tried; beyond it a thousand, and all near the ends. */
const EVERY_SPLIT = 2048;

function splits(length: number): number[] {
  const places: number[] = [];
  const step = length <= EVERY_SPLIT ? 1 : Math.ceil(length / 1000);
  for (let at = 1; at < length; at += at < 64 || at >= length - 64 ? 1 : step) places.push(at);
  return places;
}

function chapters(cases: CorpusCase[]): Map<string, CorpusCase[]> {
  const byChapter = new Map<string, CorpusCase[]>();
  for (const item of cases) {
    const chapter = item.name.split("/")[0] as string;
    byChapter.set(chapter, [...(byChapter.get(chapter) ?? []), item]);
  }
  return byChapter;
}

const corpus = readCorpus();

test("the corpus has at least 200 cases, each with its clause and reason", () => {
  assert.ok(corpus.length >= 200, `${corpus.length} cases`);
  assert.deepEqual(
    corpus.filter((item) => !/^RFC \d+ section [0-9C.]+$/.test(item.clause) || !/^\S.*\.$/s.test(item.why)),
    [],
    "every case names its clause and says why",
  );
});

for (const [chapter, cases] of chapters(corpus)) {
  describe(chapter, () => {
    for (const item of cases) {
      const label = `${item.name}: ${item.clause}: ${item.why}`;
      test(item.name.slice(chapter.length + 1), () => {
        const expected = readingOf(item);
        assert.deepEqual(drive([item.bytes]), expected, `at once, ${label}`);
        assert.deepEqual(drive(singly(item.bytes)), expected, `byte by byte, ${label}`);
        for (const place of splits(item.bytes.length)) {
          assert.deepEqual(drive(cut(item.bytes, [place])), expected, `split at ${place}, ${label}`);
        }
      });
    }
  });
}

test("the reference reader agrees with the corpus", () => {
  for (const item of corpus) {
    assert.deepEqual(
      readByReference(item.bytes, CORPUS_LIMITS),
      readingOf(item),
      `${item.name}: ${item.clause}: ${item.why}`,
    );
  }
});
