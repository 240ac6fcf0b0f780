/** One signal for both reasons to end a long response: the client disconnects, or the worker drains. */
import type { GatewayRequest, Respond } from "./types.ts";

/**
 * Returns a signal that aborts, with the same reason, when `request.signal` or `request.worker.drain` does. It no longer
 * aborts once the response is complete or the connection has been taken over. Use it for endless responses.
 *
 * `AbortSignal.any([request.signal, request.worker.drain])` behaves alike, but with a listener it stays in memory as long
 * as the worker lives (1.2 kB a request, Node 20 to 26): `drain` may still abort, and Node cannot know that the response
 * is over. This signal removes its listener from `drain` when the response ends.
 */
export function endSignal(request: GatewayRequest, respond: Respond): AbortSignal {
  const sources = [request.signal, request.worker.drain];
  const aborted = sources.find((source) => source.aborted);
  if (aborted !== undefined) return AbortSignal.abort(aborted.reason);
  const controller = new AbortController();
  const removeListeners = (): void => {
    for (const source of sources) source.removeEventListener("abort", end);
  };
  const end = ({ target }: Event): void => {
    removeListeners();
    controller.abort((target as AbortSignal).reason);
  };
  for (const source of sources) source.addEventListener("abort", end);
  respond.finished().then(removeListeners, removeListeners);
  return controller.signal;
}
