/** The document that `--json` writes: the results of one run. */
import type { ScenarioResult } from "./scenario.ts";

export interface ResultDocument {
  /** When the run began, as in ISO 8601. */
  readonly date: string;
  readonly node: string;
  readonly v8: string;
  readonly system: { readonly release: string; readonly processor: string; readonly processors: number };
  /** The cores, or why nothing was pinned. */
  readonly pinning:
    | { readonly server: number; readonly load: number }
    | { readonly reason: string | undefined };
  readonly minutes: number;
  readonly scenarios: readonly ScenarioResult[];
}
