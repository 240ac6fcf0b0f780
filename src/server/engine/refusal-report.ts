/** Reports a refused head to whoever can say what to do about it: one that exceeds a limit, and a PROXY header in its place. */
import type { HttpError } from "../../errors.ts";
import type { ExchangeContext } from "../../exchange/request.ts";
import { HeadLimitError } from "../../http/head-limit.ts";
import { isStrayHeader } from "../front/stray-header.ts";
import type { EngineOptions } from "../server-options.ts";

/** @param received the refused bytes, as Latin-1 */
export function reportRefusal(
  error: HttpError,
  received: string,
  context: ExchangeContext,
  { onHeadLimit, onStrayHeader }: EngineOptions,
): void {
  if (error instanceof HeadLimitError) onHeadLimit?.(error.limit);
  else if (isStrayHeader(received))
    onStrayHeader?.({ peer: context.peer, isSecond: context.proxy !== undefined });
}
