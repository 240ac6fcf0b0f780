/** One line for each slot, or where that would be a tangle, the highest, the median and the lowest. */
import type { HistoryReport } from "../control/stats.ts";
import type { Colour, Line, Values } from "./chart-model.ts";
import type { Unit } from "./format.ts";

type Slot = HistoryReport["slots"][number];

/** More lines than these cannot be told apart. */
export const MAX_LINES = 8;

const COLOURS: readonly Colour[] = ["blue", "orange", "green", "purple", "sky", "red", "yellow", "grey"];
/** Neighbours differ in their dashes as well. */
const DASHES: readonly (readonly number[] | undefined)[] = [undefined, [6, 3], [2, 3], [8, 3, 2, 3]];

export function slotLines(slots: readonly Slot[], pick: (slot: Slot) => Values, unit: Unit): Line[] {
  if (slots.length <= MAX_LINES)
    return slots.map((slot, index) => {
      const dash = DASHES[index % DASHES.length];
      return {
        label: `slot ${slot.slot}`,
        values: pick(slot),
        colour: COLOURS[index % COLOURS.length] as Colour,
        unit,
        ...(dash !== undefined && { dash }),
      };
    });
  const all = slots.map(pick);
  const across = (choose: (sorted: readonly number[]) => number | undefined): Values =>
    (all[0] ?? []).map((_, index) => {
      const present = all.map((values) => values[index] ?? null).filter((value) => value !== null);
      return choose(present.sort((a, b) => a - b)) ?? null;
    });
  return [
    {
      label: "highest",
      values: across((sorted) => sorted.at(-1)),
      colour: "red",
      unit,
      dash: [2, 3],
    },
    {
      label: `median of ${slots.length}`,
      values: across((sorted) => sorted[Math.floor(sorted.length / 2)]),
      colour: "blue",
      unit,
    },
    { label: "lowest", values: across((sorted) => sorted[0]), colour: "green", unit, dash: [6, 3] },
  ];
}
