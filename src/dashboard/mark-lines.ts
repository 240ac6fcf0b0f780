/** Draws the moments of deploys and deaths as lines across a chart, each kind with a letter and a dash of its own. */
import type uPlot from "uplot";
import type { Mark } from "./chart-model.ts";

const LOOKS: Readonly<Record<Mark["kind"], { letter: string; dash: number[] }>> = {
  reload: { letter: "R", dash: [4, 3] },
  upgrade: { letter: "U", dash: [] },
  crash: { letter: "✕", dash: [1, 3] },
};

export function drawMarks(plot: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = plot;
  const style = getComputedStyle(document.documentElement);
  const scale = devicePixelRatio;
  ctx.save();
  ctx.lineWidth = scale;
  ctx.font = `${10 * scale}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (const { time, kind } of marks) {
    const x = Math.round(plot.valToPos(time, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const { letter, dash } = LOOKS[kind];
    ctx.strokeStyle = ctx.fillStyle = style.getPropertyValue(`--mark-${kind}`).trim();
    ctx.setLineDash(dash.map((length) => length * scale));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(letter, x, bbox.top - 4 * scale);
  }
  ctx.restore();
}
