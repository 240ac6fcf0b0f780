/** Modules that a start must not wait for, and that must be there when the release which the server runs from is deleted. */

/** By then the start is long over, and a deploy has not yet deleted the release that this server was started from. */
const LOAD_AFTER_MS = 30_000;

/** Loads at the first call, at the latest after a while, and only once. A failure is for its callers alone: the next one tries again. */
export function loadLate<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  const get = (): Promise<T> => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  setTimeout(() => get().catch(() => {}), LOAD_AFTER_MS).unref();
  return get;
}
