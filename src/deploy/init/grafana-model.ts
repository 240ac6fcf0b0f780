/** Grafana's model of a dashboard, as far as ours needs it; `@grafana/schema` describes it whole. */

export interface Target {
  readonly expr: string;
  readonly legend: string;
  /** A dashed line, which is not stacked. */
  readonly isLimit?: boolean;
}

export interface Panel {
  readonly width: number;
  readonly height: number;
  readonly model: Readonly<Record<string, unknown>>;
}

interface StatOptions {
  readonly unit?: string;
  /** Red below. */
  readonly lowIsBad?: number;
  /** Red from there on. */
  readonly highIsBad?: number;
  /** Names of values. */
  readonly texts?: Readonly<Record<number, string>>;
}

interface ChartOptions {
  readonly stacked?: boolean;
  readonly bars?: boolean;
  readonly heatmap?: boolean;
}

const COLUMNS = 24;
const DATA_SOURCE = { type: "prometheus", uid: "$datasource" };

function targets(list: readonly Target[], extra: Readonly<Record<string, unknown>> = {}): object[] {
  return list.map(({ expr, legend }, index) => ({
    refId: String.fromCharCode("A".charCodeAt(0) + index),
    datasource: DATA_SOURCE,
    expr,
    legendFormat: legend,
    range: true,
    ...extra,
  }));
}

/** One number, in the strip on top. */
export function stat(title: string, expr: string, options: StatOptions = {}): Panel {
  const { unit = "none", lowIsBad, highIsBad, texts } = options;
  const steps = [
    { color: lowIsBad === undefined ? "green" : "red", value: null },
    ...(lowIsBad === undefined ? [] : [{ color: "green", value: lowIsBad }]),
    ...(highIsBad === undefined ? [] : [{ color: "red", value: highIsBad }]),
  ];
  const named = Object.entries(texts ?? {}).map(([value, text]) => [value, { text }] as const);
  return {
    width: 4,
    height: 4,
    model: {
      type: "stat",
      title,
      datasource: DATA_SOURCE,
      targets: targets([{ expr, legend: title }]),
      fieldConfig: {
        defaults: {
          unit,
          thresholds: { mode: "absolute", steps },
          mappings: named.length === 0 ? [] : [{ type: "value", options: Object.fromEntries(named) }],
        },
        overrides: [],
      },
      options: {
        colorMode: "value",
        graphMode: "none",
        justifyMode: "auto",
        orientation: "auto",
        percentChangeColorMode: "standard",
        reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
        showPercentChange: false,
        textMode: "value",
        wideLayout: true,
      },
    },
  };
}

/** Lines over time, or a heat map. */
export function charts(
  title: string,
  unit: string,
  list: readonly Target[],
  options: ChartOptions = {},
  description?: string,
): Panel {
  const common = {
    title,
    ...(description !== undefined && { description }),
    datasource: DATA_SOURCE,
  };
  const model = options.heatmap === true ? heatmap(unit, list) : timeSeries(unit, list, options);
  return { width: COLUMNS / 2, height: 8, model: { ...common, ...model } };
}

function timeSeries(unit: string, list: readonly Target[], { stacked, bars }: ChartOptions): object {
  const limits = list.filter(({ isLimit }) => isLimit === true);
  return {
    type: "timeseries",
    targets: targets(list),
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        custom: {
          drawStyle: bars === true ? "bars" : "line",
          fillOpacity: stacked === true || bars === true ? 30 : 5,
          lineWidth: 1,
          showPoints: "never",
          stacking: { group: "A", mode: stacked === true || bars === true ? "normal" : "none" },
        },
      },
      overrides: limits.map((target) => ({
        matcher: {
          id: "byFrameRefID",
          options: String.fromCharCode("A".charCodeAt(0) + list.indexOf(target)),
        },
        properties: [
          { id: "custom.lineStyle", value: { fill: "dash", dash: [10, 10] } },
          { id: "custom.fillOpacity", value: 0 },
          { id: "color", value: { mode: "fixed", fixedColor: "red" } },
        ],
      })),
    },
    options: {
      legend: { calcs: [], displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    },
  };
}

function heatmap(unit: string, list: readonly Target[]): object {
  return {
    type: "heatmap",
    targets: targets(list, { format: "heatmap" }),
    fieldConfig: { defaults: {}, overrides: [] },
    options: {
      calculate: false,
      cellGap: 1,
      color: {
        exponent: 0.5,
        fill: "dark-orange",
        mode: "scheme",
        reverse: false,
        scale: "exponential",
        scheme: "Oranges",
        steps: 64,
      },
      exemplars: { color: "rgba(255,0,255,0.7)" },
      filterValues: { le: 1e-9 },
      legend: { show: true },
      rowsFrame: { layout: "auto" },
      showValue: "never",
      tooltip: { mode: "single", showColorScale: false, yHistogram: false },
      yAxis: { axisPlacement: "left", reverse: false, unit },
    },
  };
}

/** Gives panels their places, row by row, and their numbers. */
export function placed(panels: readonly Panel[]): object[] {
  let [x, y, rowHeight] = [0, 0, 0];
  return panels.map(({ width, height, model }, index) => {
    if (x + width > COLUMNS || (height !== rowHeight && x > 0)) [x, y] = [0, y + rowHeight];
    rowHeight = height;
    const gridPos = { x, y, w: width, h: height };
    x += width;
    return { id: index + 1, gridPos, ...model };
  });
}

/** The choices on top: the data source, the job and its instances. */
export function variables(infoMetric: string, job: string): object[] {
  const query = (name: string, text: string, more: object): object => ({
    name,
    label: name,
    type: "query",
    datasource: DATA_SOURCE,
    query: { query: text, refId: `Variable-${name}` },
    refresh: 2,
    sort: 1,
    ...more,
  });
  return [
    { name: "datasource", label: "data source", type: "datasource", query: "prometheus" },
    query("job", `label_values(${infoMetric}, job)`, { current: { selected: true, text: job, value: job } }),
    query("instance", `label_values(${infoMetric}{job="$job"}, instance)`, {
      multi: true,
      includeAll: true,
      allValue: ".*",
      current: { selected: true, text: "All", value: "$__all" },
    }),
  ];
}

/** Marks on all charts. */
export function annotation(name: string, color: string, expr: string): object {
  return {
    name,
    datasource: DATA_SOURCE,
    enable: true,
    iconColor: color,
    target: { refId: "Anno", expr },
  };
}
