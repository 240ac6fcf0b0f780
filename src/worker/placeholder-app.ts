/**
 * Placeholder app. With `--reload` a server whose first app is broken waits for a fixed version; meanwhile this app
 * responds with the error, so that a browser shows it immediately.
 */
import type { App } from "../gateway/types.ts";
import type { BootFailure } from "../ipc/messages.ts";
import { renderErrorPage } from "../server/error-page.ts";

const TITLE = "503 Service Unavailable";

/** Responds to every request with 503. Includes the error if `shown`, else points to the log. */
export function placeholderApp(failure: BootFailure, shown: boolean): App {
  const error = shown
    ? { title: TITLE, message: failure.message, detail: failure.stack }
    : {
        title: TITLE,
        message: "The application failed to start: see the log for the reason.",
        detail: undefined,
      };
  return {
    handle: (request, respond) => {
      const { type, content } = renderErrorPage(error, request.headers.accept);
      respond(503, { "content-type": type, "cache-control": "no-store" }, content);
    },
  };
}
