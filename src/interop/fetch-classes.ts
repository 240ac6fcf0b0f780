/** The cheaper `Request` and `Response` of a process that serves a fetch app. */
import { installLazyRequest, unwrapRequest } from "./fetch-request.ts";
import { hasPrivateRequests, installRequestGlobals } from "./request-globals.ts";
import { installTextResponse } from "./text-response.ts";

/**
 * Installs both. Further calls do nothing. `Request` comes first: a touch of `Response` loads fetch, and after that
 * `Request` is not replaced any more where it had been left alone.
 */
export function installFetchClasses(): void {
  installLazyRequest(hasPrivateRequests ? installRequestGlobals(unwrapRequest) : undefined);
  installTextResponse();
}
