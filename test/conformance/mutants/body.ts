/** Faults in the content and the trailers of a request. */
import type { Mutant } from "./mutant.ts";

const BODY = "exchange/message-body.ts";
const COLLECTOR = "exchange/collector.ts";
const NODE = "interop/node-exchange.ts";

export const bodyMutants: readonly Mutant[] = [
  {
    name: "the content can be read twice",
    clause: "5.2.1",
    file: BODY,
    find: "#claim(): void {\n    if (this.#used)",
    replace: "#claim(): void {\n    if (false)",
  },
  {
    name: "content that ended early looks complete to an iterator",
    clause: "5.1.3",
    file: BODY,
    find: "this.#settleWaiters((waiter) => waiter.reject(error));",
    replace: "this.#settleWaiters((waiter) => waiter.resolve(DONE));",
    on: ["memory", "node"],
  },
  {
    name: "content that ended early looks complete to text()",
    clause: "5.1.3",
    file: BODY,
    find: "this.#failCollector(error);\n    this.#settleWaiters",
    replace: "this.#collector?.end();\n    this.#settleWaiters",
    on: ["memory", "node"],
  },
  {
    name: "content of exactly the limit is too large",
    clause: "5.4.1",
    file: BODY,
    find: "if (collector.size > collector.limit)",
    replace: "if (collector.size >= collector.limit)",
  },
  {
    name: "one byte more than the limit is taken",
    clause: "5.4.1",
    file: BODY,
    find: "if (collector.size > collector.limit)",
    replace: "if (collector.size > collector.limit + 1)",
  },
  {
    name: "the limit does not hold for iterators",
    clause: "5.4.1",
    file: BODY,
    find: "if (size > this.#limit)",
    replace: "if (false)",
  },
  {
    name: "content of exactly the limit is too large for iterators",
    clause: "5.4.1",
    file: BODY,
    find: "if (size > this.#limit)",
    replace: "if (size >= this.#limit)",
  },
  {
    name: "the app can raise the limit of the server",
    clause: "5.4.1",
    file: BODY,
    find: "Math.min(checkedLimit(options) ?? this.#limit, this.#limit)",
    replace: "checkedLimit(options) ?? this.#limit",
  },
  {
    name: "a limit of NaN is taken",
    clause: "5.4.1",
    file: BODY,
    find: '(typeof limit === "number" && limit >= 0)',
    replace: 'typeof limit === "number"',
  },
  {
    name: "pieces are Buffers",
    clause: "5.1.4",
    file: COLLECTOR,
    find: "if (bytes.constructor === Uint8Array) return bytes;",
    replace: "return bytes;",
  },
  {
    name: "text keeps its byte order mark",
    clause: "5.1.4",
    file: COLLECTOR,
    find: "text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text",
    replace: "text",
  },
  {
    name: "content that is not JSON is a plain error",
    clause: "5.1.4",
    file: COLLECTOR,
    find: "throw new BodyError(400, ",
    replace: "throw new Error(",
  },
  {
    name: "the sender is never paused",
    clause: "5.3.2",
    file: BODY,
    find: "this.#source?.pause();",
    replace: "",
    on: ["node"],
  },
  {
    name: "100 is sent too early",
    clause: "5.3.1",
    file: NODE,
    find: "this.#expectsContinue = options.expectsContinue;",
    replace:
      "this.#expectsContinue = false;\n    if (options.expectsContinue) this.#response.writeContinue();",
    on: ["node"],
  },
  {
    name: "100 is never sent",
    clause: "5.3.1",
    file: NODE,
    find: "if (!this.#response.headersSent) this.#response.writeContinue();",
    replace: "",
    on: ["node"],
  },
  {
    name: "100 follows the final head",
    clause: "5.3.1",
    file: "server/engine/current-exchange.ts",
    find: "if (this.response?.headSent === false) this.output",
    replace: "this.output",
    on: ["engine"],
  },
  {
    name: "trailers of any name reach the app",
    clause: "10.3",
    file: "interop/framing.ts",
    find: "index % 2 === 0 && isTrailerName(name)",
    replace: "index % 2 === 0",
    on: ["node"],
  },
  {
    name: "trailers are lost",
    clause: "10.1",
    file: BODY,
    find: "    this.rawTrailers = rawTrailers;\n",
    replace: "",
  },
];
