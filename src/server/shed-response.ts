/** The response to a request that the app does not get, since there are too many. */
import { RETRY_AFTER } from "./server-options.ts";

export const SHED_FIELDS = Object.freeze({
  "content-type": "text/plain; charset=utf-8",
  "retry-after": RETRY_AFTER,
});
export const SHED_CONTENT = "503 Service Unavailable\n";
