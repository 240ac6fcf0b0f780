/**
 * The readiness that the app of this worker reports. It is kept on the global object, because the app may import
 * another copy of this package than the one that serves it.
 */

const KEY = Symbol.for("tsgun.notReady");

interface Readiness {
  /** The reasons that have not been taken back, each under its own key. */
  readonly reasons: Map<object, string>;
  /** Called when a reason comes or goes. */
  onChange: (() => void) | undefined;
}

function readiness(): Readiness {
  const holder = globalThis as { [KEY]?: Readiness };
  holder[KEY] ??= { reasons: new Map(), onChange: undefined };
  return holder[KEY];
}

/**
 * Says that this worker is not ready for requests, for a reason such as "the database is away". It keeps serving; it no
 * longer counts as ready for `/health/ready`, which names the reason. Liveness is not affected. Several reasons may hold
 * at a time. Outside a worker this has no effect.
 *
 * @param reason for people
 * @returns a function that takes it back
 */
export function notReady(reason: string): () => void {
  const { reasons } = readiness();
  const key = {};
  reasons.set(key, String(reason));
  readiness().onChange?.();
  return () => {
    if (reasons.delete(key)) readiness().onChange?.();
  };
}

/** The most that is reported of the reasons. */
const MAX_LENGTH = 200;

/** The reasons in one line; undefined if the app says nothing. */
export function notReadyReason(): string | undefined {
  const { reasons } = readiness();
  if (reasons.size === 0) return undefined;
  const text = [...new Set(reasons.values())].join(", ").replaceAll(/\s+/g, " ").trim();
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text || "no reason given";
}

/** Calls back whenever a reason comes or goes. */
export function onReadinessChange(callback: () => void): void {
  readiness().onChange = callback;
}
