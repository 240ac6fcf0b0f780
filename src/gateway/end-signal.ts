/** One signal for both reasons to end a long answer: its client has gone, or its worker has to go. */
import type { GatewayRequest, Respond } from "./types.ts";

/**
 * Makes a signal that aborts, with the same reason, once `request.signal` or `request.worker.drain` does, and no more
 * once the answer is complete or the connection has been taken over. For answers without an end of their own.
 *
 * `AbortSignal.any([request.signal, request.worker.drain])` says the same, but whoever listens to that signal keeps it
 * for as long as the worker lives (1.2 kB a request, Node 20 to 26): `drain` may still abort, and nothing tells Node
 * that the answer is over. This one lets go of `drain` with the answer.
 */
export function endSignal(request: GatewayRequest, respond: Respond): AbortSignal {
  const sources = [request.signal, request.worker.drain];
  const aborted = sources.find((source) => source.aborted);
  if (aborted !== undefined) return AbortSignal.abort(aborted.reason);
  const controller = new AbortController();
  const letGo = (): void => {
    for (const source of sources) source.removeEventListener("abort", end);
  };
  const end = ({ target }: Event): void => {
    letGo();
    controller.abort((target as AbortSignal).reason);
  };
  for (const source of sources) source.addEventListener("abort", end);
  respond.finished().then(letGo, letGo);
  return controller.signal;
}
