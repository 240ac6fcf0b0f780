/** Faults in the request that an app sees. */
import type { Mutant } from "./mutant.ts";

const REQUEST = "exchange/request.ts";
const FIELDS = "gateway/fields.ts";
const FORWARDED = "exchange/forwarded.ts";

export const requestMutants: readonly Mutant[] = [
  {
    name: "the target is split at the last question mark",
    clause: "4.2.3",
    file: REQUEST,
    find: 'target.indexOf("?")',
    replace: 'target.lastIndexOf("?")',
  },
  {
    name: "the query keeps its question mark",
    clause: "4.2.3",
    file: REQUEST,
    find: "target.slice(mark + 1)",
    replace: "target.slice(mark)",
  },
  {
    name: "the path is decoded",
    clause: "4.2.2",
    file: REQUEST,
    find: "const path = mark === -1 ? target : target.slice(0, mark);",
    replace: "const path = decodeURI(mark === -1 ? target : target.slice(0, mark));",
  },
  {
    name: "the root path stays in the path",
    clause: "4.2.4",
    file: REQUEST,
    find: "(mounted ? path.slice(root.length) : path)",
    replace: "path",
  },
  {
    name: "the root path matches in the middle of a segment",
    clause: "4.2.4",
    file: REQUEST,
    find: "path.startsWith(`$" + "{root}/`)",
    replace: "path.startsWith(root)",
  },
  {
    name: "nothing is left of the root path itself",
    clause: "4.2.4",
    file: REQUEST,
    find: '|| (this.method === "CONNECT" ? "" : "/")',
    replace: '|| ""',
  },
  {
    name: "the authority of an absolute-form target is ignored",
    clause: "4.4.2",
    file: REQUEST,
    find: "return absolute[1] as string;",
    replace: "return this.headers.host as string;",
  },
  {
    name: "raw names are in lower case",
    clause: "4.3.1",
    file: REQUEST,
    find: "get rawHeaders(): readonly string[] {\n    return this.#head.rawHeaders;",
    replace:
      "get rawHeaders(): readonly string[] {\n    return this.#head.rawHeaders.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text));",
  },
  {
    name: "fields have a prototype",
    clause: "4.3.2",
    file: FIELDS,
    find: "const fields: { [name: string]: string | undefined } = Object.create(null);",
    replace: "const fields: { [name: string]: string | undefined } = {};",
  },
  {
    name: "cookies are joined by a comma",
    clause: "4.3.3",
    file: FIELDS,
    find: 'name === "cookie" ? "; " : ", "',
    replace: '", "',
  },
  {
    name: "fields that are not lists are joined",
    clause: "4.3.4",
    file: FIELDS,
    find: "else if (!SINGLETONS.has(name)) fields",
    replace: "else fields",
  },
  {
    name: "forwarded fields are trusted of any peer",
    clause: "4.4.4",
    file: "interop/hosted-app.ts",
    find: "peer !== UNKNOWN_ENDPOINT && proxyRules.trusts(peer)",
    replace: "true",
  },
  {
    name: "the leftmost address of X-Forwarded-For is believed",
    clause: "4.4.6",
    file: FORWARDED,
    find: "if (hops === elements.length || !rules.trusts(node)) break;",
    replace: "if (hops === elements.length) break;",
  },
  {
    name: "every request has the same id",
    clause: "4.4.5",
    file: REQUEST,
    find: "requestId(nextRequestNumber())",
    replace: "requestId(1)",
  },
  {
    name: "an id of any peer is taken",
    clause: "4.4.4",
    file: REQUEST,
    find: "(proxyRules && forwardedId(field, proxyRules)) ??",
    replace: "this.headers[ID_FIELD] ??",
  },
  {
    name: "the signal does not abort",
    clause: "12.1",
    file: REQUEST,
    find: "this.#abortSignal?.(reason);",
    replace: "",
    on: ["memory", "node"],
  },
  {
    name: "the signal aborts without its reason",
    clause: "12.1",
    file: REQUEST,
    find: "scope.runInAsyncScope(() => controller.abort(reason))",
    replace: "scope.runInAsyncScope(() => controller.abort())",
    on: ["memory", "node"],
  },
  {
    name: "the signal aborts after the response",
    clause: "12.2",
    file: "interop/hosted-app.ts",
    find: "this.#inFlight -= 1;",
    replace: 'this.#inFlight -= 1;\n      request.abort(new RequestAborted("over"));',
  },
];
