/** Expressions for Prometheus over the metrics of the table, so that no name is written twice. */
import { ARBITER_METRICS, FOLDED_METRICS, REPORT_METRICS } from "../../scoreboard/arbiter-metrics.ts";
import { type Metric, WORKER_METRICS } from "../../scoreboard/metrics.ts";

const { connections: accepted, slot } = FOLDED_METRICS;
/** Every metric that /metrics has. */
export const METRICS = { ...WORKER_METRICS, ...ARBITER_METRICS, accepted, slot, ...REPORT_METRICS };

/** Deaths that nobody ordered. */
export const CRASHES = 'reason=~"crash|heap_oom|killed|stuck"';
/** Requests refused by --max-in-flight, not those of a worker that ends. */
export const OVERLOAD = 'reason=~"overload|queue_timeout"';
export const SERVER_ERRORS = 'http_response_status_code=~"5.."';

/** Writes expressions for the servers that `selector` selects, over the window `window`. */
export class PromQl {
  readonly #selector: string;
  readonly #window: string;

  /**
   * @param selector label matchers, separated by commas
   * @param window of rates: `5m`, `$__rate_interval`
   */
  constructor(selector: string, window: string) {
    this.#selector = selector;
    this.#window = window;
  }

  /** `name{…}`, with the suffix of a part of a histogram. */
  series({ name }: Metric, matchers = "", suffix = ""): string {
    const all = [this.#selector, matchers].filter((part) => part !== "").join(",");
    return `${name}${suffix}${all === "" ? "" : `{${all}}`}`;
  }

  rate(metric: Metric, matchers = "", window = this.#window): string {
    return `rate(${this.series(metric, matchers, suffixOf(metric))}[${window}])`;
  }

  increase(metric: Metric, matchers = "", window = this.#window): string {
    return `increase(${this.series(metric, matchers, suffixOf(metric))}[${window}])`;
  }

  /** A percentile of a histogram; `by` are labels to keep. */
  quantile(share: number, metric: Metric, by: readonly string[] = []): string {
    const labels = ["le", ...by].join(", ");
    return `histogram_quantile(${share}, sum by (${labels}) (rate(${this.series(metric, "", "_bucket")}[${this.#window}])))`;
  }

  /** How many observations there were in each bucket. */
  buckets(metric: Metric): string {
    return `sum by (le) (increase(${this.series(metric, "", "_bucket")}[${this.#window}]))`;
  }

  /** The mean of a histogram or summary, or with a summary of times the share of time. */
  sumRate(metric: Metric): string {
    return `rate(${this.series(metric, "", "_sum")}[${this.#window}])`;
  }
}

/** Counters have none; of the others it is how often something was observed. */
function suffixOf({ type }: Metric): string {
  return type === "histogram" || type === "summary" ? "_count" : "";
}
