/**
 * What is served where there is no app yet: with `--reload` a server whose first app is broken waits for the mended
 * one, and a browser that asks meanwhile is told so at once.
 */
import type { App } from "../gateway/types.ts";
import type { BootFailure } from "../ipc/messages.ts";
import { errorContent } from "../server/error-page.ts";

const TITLE = "503 Service Unavailable";

/** Answers every request with 503; with what is wrong if `shown`, else only with where that can be read. */
export function standIn(failure: BootFailure, shown: boolean): App {
  const error = shown
    ? { title: TITLE, message: failure.message, detail: failure.stack }
    : { title: TITLE, message: "The application failed to start: the log says why.", detail: undefined };
  return {
    handle: (request, respond) => {
      const { type, content } = errorContent(error, request.headers.accept);
      respond(503, { "content-type": type, "cache-control": "no-store" }, content);
    },
  };
}
