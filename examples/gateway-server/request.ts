/** The request as an app sees it (docs/gateway.md, section 4). */
import { inspect } from "node:util";
import type { Endpoint, GatewayRequest } from "tsgun/gateway";
import type { Content } from "./content.ts";
import { misuse } from "./errors.ts";
import { joined, rawOf } from "./fields.ts";
import type { Head } from "./head.ts";
import type { Wire } from "./wire.ts";

/** The part of a request that an exchange adds to a client's head and content. */
export interface Surroundings
  extends Pick<GatewayRequest, "id" | "rootPath" | "worker" | "state" | "signal" | "waitUntil"> {
  readonly onExtend: (milliseconds: number) => void;
}

export function present(head: Head, content: Content, wire: Wire, around: Surroundings): GatewayRequest {
  const { pairs, method, target, query, httpVersion, host, upgrade } = head;
  const { id, rootPath, worker, state, signal, waitUntil, onExtend } = around;
  const within = rootPath !== "" && `${head.path}/`.startsWith(`${rootPath}/`);
  const peer = endpoint(wire.socket.remoteAddress, wire.socket.remotePort);
  const none = { fields: joined([]), raw: [] as string[] };
  let trailers: typeof none | undefined;
  const ends = (): typeof none => {
    if (!content.done) return none;
    trailers ??= { fields: joined(content.trailers), raw: rawOf(content.trailers) };
    return trailers;
  };
  let headers: ReturnType<typeof joined> | undefined;
  return {
    method,
    target,
    path: within ? head.path.slice(rootPath.length) || "/" : head.path,
    query,
    rootPath,
    httpVersion,
    scheme: "http",
    host,
    get headers() {
      headers ??= joined(pairs);
      return headers;
    },
    rawHeaders: rawOf(pairs),
    remote: peer,
    peer,
    local: endpoint(wire.socket.localAddress, wire.socket.localPort),
    tls: undefined,
    proxy: undefined,
    id,
    body: content,
    get trailers() {
      return ends().fields;
    },
    get rawTrailers() {
      return ends().raw;
    },
    signal,
    extend: (milliseconds) => {
      if (typeof milliseconds !== "number" || !(milliseconds > 0))
        throw misuse(`extend takes milliseconds above zero, not ${inspect(milliseconds)}`);
      onExtend(milliseconds);
    },
    waitUntil: (work) => {
      if (typeof (work as { then?: unknown } | undefined)?.then !== "function")
        throw misuse(`waitUntil takes a promise, not ${inspect(work)}`);
      waitUntil(work);
    },
    upgrade,
    get draining() {
      return worker.drain.aborted;
    },
    worker,
    state,
  };
}

function endpoint(address = "", port = 0): Endpoint {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return { family: plain.includes(":") ? "ipv6" : "ipv4", address: plain, port };
}
