/**
 * Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0, which differs in the names of counters, in numbers of
 * buckets and in its end. Pure.
 */

export interface Sample {
  /** Follows the family's name: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly value: number;
}

export interface Family {
  /** As in Prometheus' format: a counter's ends with `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";
export const OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Whether a client prefers OpenMetrics, by its field Accept; Prometheus sends weights. */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  const weight = (type: string): number =>
    Math.max(0, ...(accept ?? "").split(",").map((range) => weightOf(range, type)));
  const openMetrics = weight("application/openmetrics-text");
  return openMetrics > 0 && openMetrics >= weight("text/plain");
}

/** The weight of a media range if it names the type; versions of OpenMetrics that we do not write count as none. */
function weightOf(range: string, type: string): number {
  const [name, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
  if (name !== type) return 0;
  if (type.includes("openmetrics") && parameters.some((each) => /^version=(?!1\.0\.0$|0\.0\.1$)/.test(each)))
    return 0;
  const quality = parameters.find((each) => each.startsWith("q="));
  const weight = quality === undefined ? 1 : Number(quality.slice(2));
  return Number.isFinite(weight) ? weight : 0;
}

export function prometheusText(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    if (samples.length === 0) continue;
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    for (const { suffix = "", labels, value } of samples)
      lines.push(`${name}${suffix}${labelText(labels, false)} ${numberText(value)}`);
  }
  return `${lines.join("\n")}\n`;
}

export function openMetricsText(families: readonly Family[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    if (samples.length === 0) continue;
    const isCounter = type === "counter";
    const family = isCounter ? name.replace(/_total$/, "") : name;
    lines.push(`# TYPE ${family} ${type}`, `# HELP ${family} ${escapeLabel(help)}`);
    for (const { suffix = isCounter ? "_total" : "", labels, value } of samples)
      lines.push(`${family}${suffix}${labelText(labels, true)} ${numberText(value)}`);
  }
  return `${[...lines, "# EOF"].join("\n")}\n`;
}

/** A label without a value is as good as none. */
function labelText(labels: Sample["labels"], isOpenMetrics: boolean): string {
  const pairs = labels
    .filter(([, value]) => value !== "")
    .map(([name, value]) => {
      const shown = isOpenMetrics && name === "le" ? canonical(value) : value;
      return `${name}="${escapeLabel(shown)}"`;
    });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** OpenMetrics writes bounds as floats: `1.0`. */
function canonical(bound: string): string {
  return /^\d+$/.test(bound) ? `${bound}.0` : bound;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
