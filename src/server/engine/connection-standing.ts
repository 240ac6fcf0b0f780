/** The event that a connection of the engine waits for, when the worker's places run out (`places/policy.ts`). */
import { type ContentPace, type Lateness, ON_TIME } from "../content-pace.ts";
import type { Linger } from "../linger.ts";
import { headLateness } from "../places/head-lateness.ts";
import type { Standing } from "../places/policy.ts";

export type Phase = "idle" | "head" | "exchange" | "lingering" | "upgraded" | "closed";

/** The parts of a connection, as far as they tell. */
export interface StandingParts {
  /** Bytes of an incomplete head. */
  readonly heldBytes: number;
  readonly input: { readonly hasHeld: boolean };
  readonly output: { readonly pending: boolean };
  readonly channel: { readonly lateness: Lateness | undefined };
  readonly dispatcher: { readonly served: boolean; readonly contentPace: ContentPace | undefined };
  /** Has rules only for a trusted proxy. */
  readonly context: { readonly proxyRules?: unknown };
  /** Undefined until the last response has been sent. */
  readonly linger: Linger | undefined;
}

/**
 * Undefined while the server or the app has something to do.
 * @param since when the phase began, in the server's time, as `now`
 */
export function standingOf(
  phase: Phase,
  since: number,
  { heldBytes, input, output, channel, dispatcher, context, linger }: StandingParts,
  now: number,
): Standing | undefined {
  if (phase === "upgraded" || phase === "closed") return undefined;
  const content = dispatcher.contentPace?.lateness(now) ?? ON_TIME;
  if (content.late > 0) return { wait: "content", ...content };
  if (output.pending) return { wait: "reader", ...(channel.lateness ?? ON_TIME) };
  if (phase === "lingering") return linger && { wait: "end", late: linger.age(now) };
  if (phase === "head") return { wait: "head", late: headLateness(now - since, heldBytes) };
  if (phase === "exchange" || input.hasHeld) return undefined;
  if (!dispatcher.served) return { wait: "first byte", late: now - since };
  // A proxy may just be sending a request, which it does not repeat.
  return context.proxyRules === undefined ? { wait: "next request", late: now - since } : undefined;
}
