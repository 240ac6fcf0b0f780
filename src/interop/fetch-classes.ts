/** The cheaper `Request` and `Response` of a process that serves a fetch app. */
import { installLazyRequest, unwrapRequest } from "./fetch-request.ts";
import { hasPrivateRequests, installRequestGlobals } from "./request-globals.ts";
import { installTextResponse } from "./text-response.ts";

/** Installs both. Further calls do nothing. */
export function installFetchClasses(): void {
  installTextResponse();
  installLazyRequest(hasPrivateRequests ? installRequestGlobals(unwrapRequest) : undefined);
}
