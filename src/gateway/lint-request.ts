/** Lint's checks of a request: the server's obligations under sections 4, 5 and 10. */
import { GatewayError } from "../errors.ts";
import { derive } from "./derive.ts";
import { isFieldName, joinFields } from "./fields.ts";
import { LintedBody } from "./lint-body.ts";
import type { Endpoint, Fields, GatewayRequest, WorkerInfo } from "./types.ts";

/** Throws `GatewayError` for a broken clause of docs/gateway.md. */
export function demand(holds: boolean, clause: string, message: string): asserts holds {
  if (!holds) throw new GatewayError(`section ${clause}`, message);
}

/** Formats a value for a message in at most 60 characters. */
export function show(value: unknown): string {
  // Not String(value), which throws for an object without a prototype.
  if (typeof value === "object" && value !== null) return Object.prototype.toString.call(value);
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Checks a request and returns it read-only, with a body that checks how it is read. */
export function lintRequest(request: GatewayRequest): GatewayRequest {
  demand(typeof request === "object" && request !== null, "4.1.1", `the request is ${show(request)}`);
  checkLine(request);
  checkFields(request.rawHeaders, request.headers, "4.3");
  checkSender(request);
  checkWorker(request.worker);
  demand(
    request.draining === request.worker.drain.aborted,
    "4.5.2",
    "draining does not say what worker.drain does",
  );
  checkUpgrade(request);
  checkSignal(request);
  demand(Array.isArray(request.rawTrailers), "10.1", "rawTrailers is no array");
  demand(typeof request.trailers === "object", "10.1", "trailers is no object");
  const refuse = (_target: object, name: string | symbol): never => {
    throw new GatewayError("section 4.1.1", `the app changes request.${String(name)}`);
  };
  return new Proxy<GatewayRequest>(derive(request, { body: new LintedBody(request.body) }), {
    set: refuse,
    defineProperty: refuse,
    deleteProperty: refuse,
  });
}

const STRINGS = ["method", "target", "path", "query", "rootPath", "host", "id"] as const;

function checkLine(request: GatewayRequest): void {
  for (const name of STRINGS) {
    demand(
      typeof request[name] === "string",
      "4.1.1",
      `request.${name} is ${show(request[name])}, no string`,
    );
  }
  const { method, target, path, query, rootPath, httpVersion } = request;
  demand(isFieldName(method), "4.2.1", `the method ${show(method)} is no token`);
  demand(/^[\x21-\x7e]+$/.test(target), "4.2.1", `the target ${show(target)} cannot have been received`);
  const form = method === "CONNECT" ? path === "" : path === "*" || path.startsWith("/");
  demand(form && !path.includes("?"), "4.2.2", `the path is ${show(path)} for the target ${show(target)}`);
  demand(query === "" || target.includes("?"), "4.2.3", `the query is ${show(query)} for ${show(target)}`);
  demand(/^(?:\/.*[^/])?$/.test(rootPath), "4.2.4", `the root path is ${show(rootPath)}`);
  demand(httpVersion === "1.0" || httpVersion === "1.1", "4.2.5", `the version is ${show(httpVersion)}`);
}

function checkFields(raw: readonly string[], fields: Fields, clause: string): void {
  demand(Array.isArray(raw), `${clause}.1`, "the raw fields are no array");
  demand(raw.length % 2 === 0, `${clause}.1`, "the raw fields are no names and values in turn");
  for (const text of raw) demand(typeof text === "string", `${clause}.1`, `a raw field is ${show(text)}`);
  demand(typeof fields === "object" && fields !== null, `${clause}.2`, `headers is ${show(fields)}`);
  demand(Object.getPrototypeOf(fields) === null, `${clause}.2`, "headers has a prototype");
  const expected = joinFields(raw);
  for (const name of new Set([...Object.keys(fields), ...Object.keys(expected)])) {
    demand(name === name.toLowerCase(), `${clause}.2`, `headers has the name ${show(name)}`);
    demand(
      fields[name] === expected[name],
      `${clause}.3`,
      `the field ${name} is ${show(fields[name])}, the raw fields say ${show(expected[name])}`,
    );
  }
}

function checkSender(request: GatewayRequest): void {
  const { scheme, id } = request;
  demand(scheme === "http" || scheme === "https", "4.4.1", `the scheme is ${show(scheme)}`);
  for (const name of ["remote", "peer", "local"] as const) checkEndpoint(name, request[name]);
  demand(/^[\x21-\x7e]+$/.test(id), "4.4.5", `the id is ${show(id)}`);
  demand(request.id === id, "4.1.2", "the id changes from one look to the next");
}

function checkEndpoint(name: string, end: Endpoint): void {
  demand(typeof end === "object" && end !== null, "4.4.3", `${name} is ${show(end)}`);
  const { family, address, port } = end;
  demand(["ipv4", "ipv6", "unix"].includes(family), "4.4.3", `the family of ${name} is ${show(family)}`);
  demand(typeof address === "string", "4.4.3", `the address of ${name} is ${show(address)}`);
  const known = Number.isInteger(port) && port >= 0 && port <= 65535;
  demand(known && (family !== "unix" || port === 0), "4.4.3", `the port of ${name} is ${show(port)}`);
}

/** Checks the `WorkerInfo` that an app receives. */
export function checkWorker(worker: WorkerInfo): void {
  demand(typeof worker === "object" && worker !== null, "4.5.1", `the worker is ${show(worker)}`);
  for (const name of ["pid", "slot", "generation"] as const) {
    demand(Number.isInteger(worker[name]), "4.5.1", `worker.${name} is ${show(worker[name])}`);
  }
  demand(worker.drain instanceof AbortSignal, "4.5.1", "worker.drain is no AbortSignal");
}

function checkUpgrade({ upgrade, method, httpVersion, headers }: GatewayRequest): void {
  demand(typeof upgrade === "boolean", "4.6.1", `upgrade is ${show(upgrade)}`);
  const asked =
    headers.upgrade !== undefined && /(?:^|[,\s])upgrade(?:$|[,\s])/i.test(headers.connection ?? "");
  const may = method === "CONNECT" || (httpVersion === "1.1" && asked);
  demand(!upgrade || may, "4.6.1", "upgrade is true for a request that does not ask for it");
}

function checkSignal(request: GatewayRequest): void {
  const { signal } = request;
  demand(signal instanceof AbortSignal, "12.1", "signal is no AbortSignal");
  demand(request.signal === signal, "4.1.2", "the signal changes from one look to the next");
  demand(typeof request.extend === "function", "12.4", "extend is no function");
}
