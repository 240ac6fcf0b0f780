/** Draws one chart with uPlot, and keeps its legend. Colours are read from the style sheet when it draws. */
import uPlot from "uplot";
import type { Chart, Line, Mark } from "./chart-model.ts";
import { element } from "./dom.ts";
import { clock, FORMATS, type Unit } from "./format.ts";
import { drawHeat, heatAxis } from "./heat.ts";
import { KEPT_MS } from "./history.ts";
import { drawMarks } from "./mark-lines.ts";

const HEIGHT = 168;
/** Width of a value axis in pixels: those of all charts are equal, so that times are below each other. */
const AXIS_WIDTH = 58;
const FONT = "11px system-ui, sans-serif";
/** The cursors of all charts move together. */
const SYNC = "tsgun";

/** A shorter axis would only make noise visible. */
const LEAST_SECONDS = 60;

/** From the first figure that there is, until now, in seconds since the epoch. */
export interface Span {
  readonly since: number;
  readonly now: number;
}

/** Returns a colour of the style sheet, as of the present theme. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export class Plot {
  readonly #host: HTMLElement;
  readonly #canvas: HTMLElement = element("div", { class: "plot" });
  readonly #legend: HTMLElement = element("ul", { class: "legend" });
  readonly #resize: ResizeObserver;
  #plot: uPlot | undefined;
  #chart: Chart | undefined;
  #shape = "";
  #marks: readonly Mark[] = [];
  /** The end of the time axis, in seconds. */
  #now = 0;
  #since = 0;
  #values: HTMLElement[] = [];

  constructor(host: HTMLElement) {
    this.#host = host;
    // The summary beside it says the same in words.
    this.#canvas.setAttribute("aria-hidden", "true");
    host.append(this.#canvas, this.#legend);
    this.#resize = new ResizeObserver(() => this.#fit());
    this.#resize.observe(host);
  }

  /** @param span the time axis, in seconds since the epoch */
  update(chart: Chart, marks: readonly Mark[], { since, now }: Span): void {
    this.#chart = chart;
    this.#marks = marks;
    this.#since = since;
    this.#now = now;
    const shape = JSON.stringify(
      chart.lines.map(({ label, unit, shape, dash }) => [label, unit, shape, dash]),
    );
    if (this.#plot === undefined || shape !== this.#shape) {
      this.#shape = shape;
      this.#build(chart);
    } else {
      this.#plot.setData(dataOf(chart));
    }
    this.#showValues(undefined);
  }

  /** Draws anew, in the colours of another theme. */
  redraw(): void {
    this.#plot?.redraw(false, true);
  }

  #fit(): void {
    const { clientWidth } = this.#host;
    if (this.#plot !== undefined && clientWidth > 0 && clientWidth !== this.#plot.width)
      this.#plot.setSize({ width: clientWidth, height: HEIGHT });
  }

  /** The last ten minutes, or since the server's first figures. */
  #span(): [from: number, to: number] {
    const kept = this.#now - KEPT_MS / 1000;
    const first = Math.min(this.#since, this.#now - LEAST_SECONDS);
    return [Math.max(kept, first), this.#now];
  }

  #build(chart: Chart): void {
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(chart), dataOf(chart), this.#canvas);
    const entries = chart.lines.map((line) => {
      const value = element("span", { class: "value" });
      const swatch = element("span", { class: `swatch series-${line.colour}${line.dash ? " dashed" : ""}` });
      return { value, item: element("li", {}, swatch, line.label, " ", value) };
    });
    this.#values = entries.map(({ value }) => value);
    const items = entries.map(({ item }) => item);
    if (chart.heat !== undefined) items.push(element("li", {}, "the stronger the colour, the more requests"));
    this.#legend.replaceChildren(...(chart.lines.every(({ shown }) => shown) ? items.reverse() : items));
  }

  #options(chart: Chart): uPlot.Options {
    const left = chart.lines.find(({ isRight }) => isRight !== true)?.unit ?? "count";
    const right = chart.lines.find(({ isRight }) => isRight === true)?.unit;
    const { heat } = chart;
    return {
      width: Math.max(200, this.#host.clientWidth),
      height: HEIGHT,
      padding: [15, right === undefined ? 20 : 0, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: SYNC },
        drag: { x: false, y: false },
        points: { show: heat === undefined, size: 6 },
        y: false,
      },
      scales: {
        x: { time: true, range: () => this.#span() },
        y: {
          range: (_plot, low, high) =>
            heat ? [0, heat.bounds.length + 1] : limits(low, high, chart.atLeast),
        },
        ...(right !== undefined && { right: { range: (_plot, low, high) => limits(low, high, 1) } }),
      },
      axes: [
        {
          ...axis(),
          space: 70,
          // Seconds only where there are several marks in a minute.
          values: (_plot, splits, _axis, _space, step) =>
            splits.map((at) => clock(at * 1000).slice(0, step < 60 ? 8 : 5)),
        },
        heat === undefined ? valueAxis(left) : { ...axis(), ...heatAxis(heat), size: AXIS_WIDTH },
        ...(right === undefined
          ? []
          : [{ ...valueAxis(right), side: 1 as const, scale: "right", grid: { show: false } }]),
      ],
      series: [{}, ...chart.lines.map(seriesOf), ...(heat === undefined ? [] : [{ show: false }])],
      bands: bandsOf(chart.lines),
      hooks: {
        draw: [
          (plot) => {
            const shown = this.#chart;
            if (shown?.heat !== undefined) drawHeat(plot, shown.time, shown.heat);
            drawMarks(plot, this.#marks);
          },
        ],
        setCursor: [(plot) => this.#showValues(plot.cursor.idx ?? undefined)],
      },
    };
  }

  /** Writes the values at `index`, or the last ones, into the legend. */
  #showValues(index: number | undefined): void {
    const lines = this.#chart?.lines ?? [];
    for (const [number, { shown, values, unit, shape }] of lines.entries()) {
      const own = shown ?? values;
      const value = index === undefined ? latest(own, shape) : (own[index] ?? null);
      const text = FORMATS[unit](value === null ? null : Math.abs(value));
      const target = this.#values[number];
      if (target !== undefined && target.textContent !== text) target.textContent = text;
    }
  }
}

/** The last value; of points, the last one that there is, and of bars, the sum of all. */
function latest(values: Line["values"], shape: Line["shape"]): number | null {
  if (shape === "points") return values.findLast((value) => value !== null) ?? null;
  if (shape === "bars") return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
  return values.at(-1) ?? null;
}

function dataOf({ time, lines, heat }: Chart): uPlot.AlignedData {
  const columns = lines.map(({ values }) => values as (number | null)[]);
  if (heat !== undefined) columns.push(time.map(() => null));
  return [time as number[], ...columns];
}

/** Zero is always shown. */
function limits(low: number | null, high: number | null, atLeast = 0): [number, number] {
  const top = Math.max(high ?? 0, atLeast);
  const bottom = Math.min(low ?? 0, 0);
  const room = (top - bottom) * 0.08;
  return [bottom < 0 ? bottom - room : 0, top === 0 ? 1 : top === atLeast && bottom === 0 ? top : top + room];
}

function axis(): uPlot.Axis {
  return {
    stroke: () => colour("faint"),
    font: FONT,
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { show: false },
    gap: 6,
    size: 26,
  };
}

function valueAxis(unit: Unit): uPlot.Axis {
  const format = FORMATS[unit];
  return {
    ...axis(),
    size: AXIS_WIDTH,
    space: 24,
    ...(unit === "count" && {
      incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5],
    }),
    ...(unit === "bytes" && { incrs: Array.from({ length: 50 }, (_, power) => 2 ** power) }),
    values: (_plot, splits) => splits.map((value) => (value === 0 ? "0" : format(Math.abs(value)))),
  };
}

function seriesOf(line: Line): uPlot.Series {
  const stroke = (): string => colour(`series-${line.colour}`);
  const common: uPlot.Series = { scale: line.isRight === true ? "right" : "y", stroke, width: 1.5 };
  if (line.shape === "points")
    return { ...common, paths: () => null, points: { show: true, size: 7, fill: stroke } };
  const points = { show: false };
  // Memory is read less often than there are points.
  const spanGaps = line.unit === "bytes";
  if (line.shape === "bars") {
    const paths = uPlot.paths.bars?.({ size: [0.8, 14, 2], align: 0 });
    return { ...common, points, fill: stroke, width: 0, ...(paths !== undefined && { paths }) };
  }
  return {
    ...common,
    points,
    spanGaps,
    ...(line.dash !== undefined && { dash: [...line.dash] }),
    ...(line.shape === "area" && { fill: () => translucent(stroke()), width: 1 }),
  };
}

/** The colours of the style sheet are hexadecimal. */
function translucent(hex: string): string {
  return `${hex}66`;
}

/** Each area of a stack ends where the one below it begins. */
function bandsOf(lines: readonly Line[]): uPlot.Band[] {
  return lines
    .slice(1)
    .flatMap((line, index) =>
      line.shape === "area" ? [{ series: [index + 1, index + 2] as [number, number] }] : [],
    );
}
