/** The heat map of durations: time from left to right, duration from below, and the stronger the colour, the more requests. */
import type uPlot from "uplot";
import type { HeatMap } from "./chart-model.ts";
import { duration } from "./format.ts";
import { columns, intensity } from "./heat-columns.ts";

/** Seconds in a column. */
const COLUMN_SECONDS = 10;

export function heatAxis({ bounds }: HeatMap): Pick<uPlot.Axis, "splits" | "values"> {
  // Every third bound has room for its label.
  const rows = bounds.map((_, index) => index + 1).filter((row) => row % 3 === 0);
  return {
    splits: () => rows,
    values: (_plot, splits) => splits.map((row) => duration(bounds[row - 1] ?? null)),
  };
}

export function drawHeat(plot: uPlot, time: readonly number[], heat: HeatMap): void {
  const { ctx, bbox } = plot;
  const found = columns(time, heat.counts, COLUMN_SECONDS);
  const most = Math.max(0, ...found.flatMap(({ counts }) => counts));
  if (most === 0) return;
  const height = bbox.height / (heat.bounds.length + 1);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--heat").trim();
  for (const { begin, counts } of found) {
    const left = plot.valToPos(begin, "x", true);
    const width = plot.valToPos(begin + COLUMN_SECONDS, "x", true) - left;
    for (const [row, count] of counts.entries()) {
      if (count === 0) continue;
      ctx.globalAlpha = intensity(count, most);
      ctx.fillRect(left, bbox.top + bbox.height - (row + 1) * height, Math.max(1, width - 1), height - 1);
    }
  }
  ctx.restore();
}
