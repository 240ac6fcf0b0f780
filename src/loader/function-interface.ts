/**
 * Tells which interface a bare function has: gateway `(request, respond)`, fetch `(request)` or node `(req, res)`. In
 * this order:
 *
 *  1. A parameter's conventional name decides: `res` is node's, `respond` a gateway's, `env` a fetch app's.
 *  2. How the function uses its second parameter: `x.end(…)` is node's response, `x(200, …)` a gateway's `respond`.
 *  3. Exactly one parameter: fetch, since it can respond only by its return value.
 *  4. Otherwise it is a guess: a gateway handler with two parameters, a node listener with more (`next`).
 */
import { parameterNames } from "./parameters.ts";

export type FunctionInterface = "gateway" | "fetch" | "node";

export interface Judgement {
  readonly interface: FunctionInterface;
  /** Nothing in the function shows it. */
  readonly isGuess: boolean;
}

type AnyFunction = (...args: never[]) => unknown;

/** Names of the second parameter. A leading `_` marks one that is not used, and says the same. */
const NODE_NAMES =
  /^(?:res|resp|rsp|response|outgoing|outgoingMessage|serverResponse|httpResponse|nodeResponse|nodeRes|rawRes)$/i;
const GATEWAY_NAMES = /^(?:respond|responder)$/i;
const FETCH_NAMES =
  /^(?:env|environment|ctx|context|info|connInfo|init|initialContext|loadContext|executionContext|platform|server|bindings|locals)$/i;

/** Names of the first parameter that only node listeners have. */
const NODE_REQUEST_NAMES = /^(?:incoming|incomingMessage|nodeRequest|nodeReq|rawReq)$/i;

const RESPONSE_MEMBERS =
  "(?:end|write|writeHead|setHeader|getHeader|removeHeader|statusCode|statusMessage|headersSent|send|json|status|type|writableEnded)";
const RESPOND_MEMBERS = "(?:informational|upgrade|finished|sent)";

export function functionInterface(value: AnyFunction): Judgement {
  const names = parameterNames(value);
  if (names === undefined) return guessByNumber(value.length);
  const byName = interfaceByNames(names);
  if (byName !== undefined) return certain(byName);
  const byUse = interfaceByUse(value, names[1]);
  if (byUse !== undefined) return certain(byUse);
  const hasRest = names.at(-1)?.startsWith("...") === true;
  if (names.length === 1 && !hasRest && !usesArguments(value)) return certain("fetch");
  return guessByNumber(hasRest ? Math.max(2, names.length) : names.length);
}

function certain(found: FunctionInterface): Judgement {
  return { interface: found, isGuess: false };
}

function guessByNumber(parameters: number): Judgement {
  if (parameters === 1) return { interface: "fetch", isGuess: true };
  return { interface: parameters > 2 ? "node" : "gateway", isGuess: true };
}

function interfaceByNames([first = "", second = ""]: readonly string[]): FunctionInterface | undefined {
  const [request, response] = [bare(first), bare(second)];
  if (GATEWAY_NAMES.test(response)) return "gateway";
  if (NODE_NAMES.test(response)) return "node";
  if (FETCH_NAMES.test(response)) return "fetch";
  if (NODE_REQUEST_NAMES.test(request) && second !== "") return "node";
  return undefined;
}

/** `_res` and `res2` are `res`: bundlers number names that clash. */
function bare(name: string): string {
  return name.replace(/^[_$]+/, "").replace(/[_$]?\d*$/, "");
}

function interfaceByUse(value: AnyFunction, second: string | undefined): FunctionInterface | undefined {
  if (second === undefined || second === "" || second.startsWith("...")) return undefined;
  const text = Function.prototype.toString.call(value);
  const name = `(?<![\\p{L}\\p{N}_$.])${second.replaceAll("$", "\\$")}`;
  const uses = (pattern: string): boolean => new RegExp(`${name}${pattern}`, "u").test(text);
  if (uses(`\\s*\\??\\.\\s*${RESPONSE_MEMBERS}\\b`)) return "node";
  if (uses("\\s*\\(") || uses(`\\s*\\.\\s*${RESPOND_MEMBERS}\\b`)) return "gateway";
  return undefined;
}

function usesArguments(value: AnyFunction): boolean {
  return /\barguments\b/.test(Function.prototype.toString.call(value));
}
