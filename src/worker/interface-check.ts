/**
 * Checks at the first request whether a function has the interface that it is called with, which nothing but its
 * behaviour may show. A wrong one makes every request fail or hang, so one line says which interface it seems to have.
 */
import type { RequestListener } from "node:http";
import { sentStatus } from "../exchange/respond.ts";
import type { Handler, Respond } from "../gateway/types.ts";

/** How long the first request may go unanswered before that counts as a sign, in milliseconds. */
const SILENCE_MS = 5000;

const RESPONSE_MEMBERS =
  /\b(?:end|write|writeHead|setHeader|getHeader|removeHeader|send|json|status|type|on|once)\b/;

export interface CheckedFunction {
  /** For messages: `app.js:handler`. */
  readonly name: string;
  /** Nothing in the function shows its interface. */
  readonly isGuess: boolean;
}

type Warn = (line: string) => void;

/** Checks the first request of a function that is called as a gateway handler. */
export function checkHandler(handle: Handler, checked: CheckedFunction, log: Warn): Handler {
  let isFirst = true;
  return (request, respond) => {
    if (!isFirst) return handle(request, respond);
    isFirst = false;
    const warn = once(log);
    watchSilence(checked, "gateway", () => isAnswered(respond), warn);
    const returned = (value: unknown): void => {
      if (!isAnswered(respond)) warnOfValue(value, checked, "without calling respond", warn);
    };
    try {
      const result: unknown = handle(request, respond);
      if (!(result instanceof Promise)) {
        returned(result);
        return;
      }
      return result.then(returned, (error: unknown) => {
        warnOfError(error, checked, warn);
        throw error;
      });
    } catch (error) {
      warnOfError(error, checked, warn);
      throw error;
    }
  };
}

/** Checks the first request of a function that is called as a node listener. */
export function checkListener(
  listener: RequestListener,
  checked: CheckedFunction,
  log: Warn,
): RequestListener {
  let isFirst = true;
  return (request, response) => {
    if (!isFirst) return listener(request, response);
    isFirst = false;
    const warn = once(log);
    watchSilence(checked, "node", () => response.headersSent || response.destroyed, warn);
    const result: unknown = listener(request, response);
    const returned = (value: unknown): unknown => {
      if (isResponse(value)) warnOfValue(value, checked, "without answering", warn);
      return value;
    };
    return result instanceof Promise ? result.then(returned) : returned(result);
  };
}

/** One sign is enough: the next ones follow from the same mistake. */
function once(log: Warn): Warn {
  let isLogged = false;
  return (line) => {
    if (!isLogged) log(line);
    isLogged = true;
  };
}

function isAnswered(respond: Respond): boolean {
  return sentStatus(respond) !== undefined;
}

function isResponse(value: unknown): boolean {
  return value instanceof Response || Object.prototype.toString.call(value) === "[object Response]";
}

function warnOfValue(value: unknown, { name }: CheckedFunction, how: string, warn: Warn): void {
  if (value === undefined) return;
  if (isResponse(value)) warn(`${name} returned a Response ${how}: it is a fetch app, use --interface fetch`);
  else {
    warn(
      `${name} returned ${value === null ? "null" : `a ${typeof value}`} ${how}: a gateway handler calls ` +
        "respond(status, headers, body); use --interface fetch or node if it is none",
    );
  }
}

function warnOfError(error: unknown, { name }: CheckedFunction, warn: Warn): void {
  if (!(error instanceof TypeError) || !/is not a function/.test(error.message)) return;
  if (!RESPONSE_MEMBERS.test(error.message)) return;
  warn(`${name} failed with "${error.message}": it seems to be a node listener, use --interface node`);
}

/** Only of a guess: other functions may take their time. */
function watchSilence(
  { name, isGuess }: CheckedFunction,
  called: string,
  isAnswered: () => boolean,
  warn: Warn,
): void {
  if (!isGuess) return;
  const others = ["gateway", "fetch", "node"].filter((one) => one !== called).join(" or ");
  setTimeout(() => {
    if (isAnswered()) return;
    warn(
      `${name} has not answered its first request within ${SILENCE_MS / 1000} s; that it is a ${called} handler is a ` +
        `guess: use --interface ${others} if it is not`,
    );
  }, SILENCE_MS).unref();
}
