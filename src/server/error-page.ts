/**
 * The error page for developers: the message and stack of an error in the app, as HTML or text. Only with `showErrors`,
 * which is never on in production, because a stack reveals internals to strangers.
 */
import { inspect } from "node:util";
import type { ErrorContent } from "../exchange/response.ts";
import { appFrames } from "../log/app-frames.ts";

/** The content of the page. */
export interface ErrorPage {
  /** Such as "500 Internal Server Error". */
  readonly title: string;
  /** One line. */
  readonly message: string;
  /** Preformatted lines, such as the stack; undefined if there is only the message. */
  readonly detail: string | undefined;
}

/** The page of an error that the app threw, with its causes, as in the log. */
export function errorPageOf(title: string, error: Error): ErrorPage {
  return {
    title,
    message: `${error.name}: ${error.message}`.split("\n", 1)[0] as string,
    detail: appFrames(inspect(error)),
  };
}

/** Renders HTML if `accept` names it, as browsers do (RFC 9110 section 12.5.1), else text. */
export function renderErrorPage(page: ErrorPage, accept: string | undefined): ErrorContent {
  return /\btext\/html\b/i.test(accept ?? "") ? asHtml(page) : asText(page);
}

function asText({ title, message, detail }: ErrorPage): ErrorContent {
  const text = detail === undefined ? message : detail.includes(message) ? detail : `${message}\n\n${detail}`;
  return { type: "text/plain; charset=utf-8", content: `${title}\n\n${text}\n` };
}

const STYLE =
  ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;padding:0 1rem;max-width:70rem}" +
  "h1{font-size:1.1rem;font-weight:normal;opacity:.7}h2{font-size:1.4rem;overflow-wrap:anywhere}" +
  "pre{font:14px/1.6 ui-monospace,monospace;padding:1rem;overflow-x:auto;border:1px solid color-mix(in srgb,currentColor 20%,transparent)}";

function asHtml({ title, message, detail }: ErrorPage): ErrorContent {
  const pre = detail === undefined ? "" : `<pre>${escaped(detail)}</pre>`;
  const head = `<meta charset="utf-8"><title>${escaped(message)}</title><style>${STYLE}</style>`;
  return {
    type: "text/html; charset=utf-8",
    content: `<!doctype html>${head}<h1>${escaped(title)}</h1><h2>${escaped(message)}</h2>${pre}\n`,
  };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
