/** Series as the scoreboard gives them, out of keys and values. */
import assert from "node:assert/strict";
import { parseKey } from "../../src/scoreboard/series-key.ts";
import { type Series, SeriesTable } from "../../src/scoreboard/series-table.ts";

export function seriesOf(series: readonly (readonly [key: string, values: readonly number[]])[]): Series[] {
  const table = new SeriesTable();
  for (const [text, values] of series) {
    const key = parseKey(text, "totals");
    assert.ok(key !== undefined, text);
    table.add(key, values);
  }
  return [...table];
}
