/**
 * What a developer sees in the browser, or in curl, of an error in the app: its message and its stack. Only where
 * `showErrors` says so, which no production setting does: a stack tells strangers what nobody wants to tell them.
 */
import { inspect } from "node:util";
import type { ErrorContent } from "../exchange/response.ts";
import { appFrames } from "../log/app-frames.ts";

/** An error of the app, for people. */
export interface ErrorPage {
  /** "500 Internal Server Error". */
  readonly title: string;
  /** One line. */
  readonly message: string;
  /** What is to be read line by line, where there is more than the message. */
  readonly detail: string | undefined;
}

/** The error that an app threw, with the errors behind it, as the log shows it. */
export function errorPageOf(title: string, error: Error): ErrorPage {
  return {
    title,
    message: `${error.name}: ${error.message}`.split("\n", 1)[0] as string,
    detail: appFrames(inspect(error)),
  };
}

/** In HTML for who asks for that (RFC 9110 section 12.5.1: browsers do, by name), else as text. */
export function renderErrorPage(error: ErrorPage, accept: string | undefined): ErrorContent {
  return /\btext\/html\b/i.test(accept ?? "") ? asHtml(error) : asText(error);
}

function asText({ title, message, detail }: ErrorPage): ErrorContent {
  const said = detail === undefined ? message : detail.includes(message) ? detail : `${message}\n\n${detail}`;
  return { type: "text/plain; charset=utf-8", content: `${title}\n\n${said}\n` };
}

const STYLE =
  ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;padding:0 1rem;max-width:70rem}" +
  "h1{font-size:1.1rem;font-weight:normal;opacity:.7}h2{font-size:1.4rem;overflow-wrap:anywhere}" +
  "pre{font:14px/1.6 ui-monospace,monospace;padding:1rem;overflow-x:auto;border:1px solid color-mix(in srgb,currentColor 20%,transparent)}";

function asHtml({ title, message, detail }: ErrorPage): ErrorContent {
  const more = detail === undefined ? "" : `<pre>${escaped(detail)}</pre>`;
  const head = `<meta charset="utf-8"><title>${escaped(message)}</title><style>${STYLE}</style>`;
  return {
    type: "text/html; charset=utf-8",
    content: `<!doctype html>${head}<h1>${escaped(title)}</h1><h2>${escaped(message)}</h2>${more}\n`,
  };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
