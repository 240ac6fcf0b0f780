/** Lint's checks of a request: the server's obligations under sections 4, 5 and 10. */
import { derive } from "./derive.ts";
import { isFieldName, joinFields } from "./fields.ts";
import { LintedBody } from "./lint-body.ts";
import { assertClause, formatValue, violation } from "./lint-violation.ts";
import type { Endpoint, Fields, GatewayRequest, WorkerInfo } from "./types.ts";

/** Checks a request and returns it read-only, with a body that checks how it is read. */
export function lintRequest(request: GatewayRequest): GatewayRequest {
  assertClause(
    typeof request === "object" && request !== null,
    "4.1.1",
    `the request is ${formatValue(request)}`,
  );
  checkLine(request);
  checkFields(request.rawHeaders, request.headers, "4.3");
  checkSender(request);
  checkWorker(request.worker);
  assertClause(
    request.draining === request.worker.drain.aborted,
    "4.5.2",
    "draining differs from worker.drain.aborted",
  );
  checkUpgrade(request);
  checkSignal(request);
  assertClause(Array.isArray(request.rawTrailers), "10.1", "rawTrailers is not an array");
  assertClause(typeof request.trailers === "object", "10.1", "trailers is not an object");
  const refuse = (_target: object, name: string | symbol): never => {
    throw violation("4.1.1", `the app changes request.${String(name)}, but requests are read-only`);
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
    assertClause(
      typeof request[name] === "string",
      "4.1.1",
      `request.${name} is ${formatValue(request[name])}, not a string`,
    );
  }
  const { method, target, path, query, rootPath, httpVersion } = request;
  assertClause(isFieldName(method), "4.2.1", `the method ${formatValue(method)} is not a token`);
  assertClause(
    /^[\x21-\x7e]+$/.test(target),
    "4.2.1",
    `the target ${formatValue(target)} has characters that no request line can have`,
  );
  const form = method === "CONNECT" ? path === "" : path === "*" || path.startsWith("/");
  assertClause(
    form && !path.includes("?"),
    "4.2.2",
    `the path is ${formatValue(path)} for the target ${formatValue(target)}`,
  );
  assertClause(
    query === "" || target.includes("?"),
    "4.2.3",
    `the query is ${formatValue(query)} for ${formatValue(target)}`,
  );
  assertClause(/^(?:\/.*[^/])?$/.test(rootPath), "4.2.4", `the root path is ${formatValue(rootPath)}`);
  assertClause(/^(?:1\.[01]|2\.0)$/.test(httpVersion), "4.2.5", `the version is ${formatValue(httpVersion)}`);
}

function checkFields(raw: readonly string[], fields: Fields, clause: string): void {
  assertClause(Array.isArray(raw), `${clause}.1`, "the raw fields are not an array");
  assertClause(raw.length % 2 === 0, `${clause}.1`, "the raw fields are not alternating names and values");
  for (const text of raw)
    assertClause(typeof text === "string", `${clause}.1`, `a raw field is ${formatValue(text)}`);
  assertClause(
    typeof fields === "object" && fields !== null,
    `${clause}.2`,
    `headers is ${formatValue(fields)}`,
  );
  assertClause(Object.getPrototypeOf(fields) === null, `${clause}.2`, "headers has a prototype");
  const expected = joinFields(raw);
  for (const name of new Set([...Object.keys(fields), ...Object.keys(expected)])) {
    assertClause(name === name.toLowerCase(), `${clause}.2`, `headers has the name ${formatValue(name)}`);
    assertClause(
      fields[name] === expected[name],
      `${clause}.3`,
      `the field ${name} is ${formatValue(fields[name])}, but the raw fields give ${formatValue(expected[name])}`,
    );
  }
}

function checkSender(request: GatewayRequest): void {
  const { scheme, id } = request;
  assertClause(scheme === "http" || scheme === "https", "4.4.1", `the scheme is ${formatValue(scheme)}`);
  for (const name of ["remote", "peer", "local"] as const) checkEndpoint(name, request[name]);
  assertClause(/^[\x21-\x7e]+$/.test(id), "4.4.5", `the id is ${formatValue(id)}`);
  assertClause(request.id === id, "4.1.2", "the id differs from one read to the next");
}

function checkEndpoint(name: string, end: Endpoint): void {
  assertClause(typeof end === "object" && end !== null, "4.4.3", `${name} is ${formatValue(end)}`);
  const { family, address, port } = end;
  assertClause(
    ["ipv4", "ipv6", "unix"].includes(family),
    "4.4.3",
    `the family of ${name} is ${formatValue(family)}`,
  );
  assertClause(typeof address === "string", "4.4.3", `the address of ${name} is ${formatValue(address)}`);
  const known = Number.isInteger(port) && port >= 0 && port <= 65535;
  assertClause(
    known && (family !== "unix" || port === 0),
    "4.4.3",
    `the port of ${name} is ${formatValue(port)}`,
  );
}

/** Checks the `WorkerInfo` that an app receives. */
export function checkWorker(worker: WorkerInfo): void {
  assertClause(
    typeof worker === "object" && worker !== null,
    "4.5.1",
    `the worker is ${formatValue(worker)}`,
  );
  for (const name of ["pid", "slot", "generation"] as const) {
    assertClause(Number.isInteger(worker[name]), "4.5.1", `worker.${name} is ${formatValue(worker[name])}`);
  }
  for (const name of ["gateway", "server"] as const)
    assertClause(
      typeof worker[name] === "string" && worker[name] !== "",
      "4.5.1",
      `worker.${name} is ${formatValue(worker[name])}`,
    );
  assertClause(worker.drain instanceof AbortSignal, "4.5.1", "worker.drain is not an AbortSignal");
}

function checkUpgrade({ upgrade, method, httpVersion, headers }: GatewayRequest): void {
  assertClause(typeof upgrade === "boolean", "4.6.1", `upgrade is ${formatValue(upgrade)}`);
  const asked =
    headers.upgrade !== undefined && /(?:^|[,\s])upgrade(?:$|[,\s])/i.test(headers.connection ?? "");
  const may = method === "CONNECT" || (httpVersion !== "1.0" && asked);
  assertClause(!upgrade || may, "4.6.1", "upgrade is true for a request that does not ask for it");
}

function checkSignal(request: GatewayRequest): void {
  const { signal } = request;
  assertClause(signal instanceof AbortSignal, "12.1", "signal is not an AbortSignal");
  assertClause(request.signal === signal, "4.1.2", "the signal differs from one read to the next");
  assertClause(typeof request.extend === "function", "12.4", "extend is not a function");
  assertClause(typeof request.waitUntil === "function", "12.6", "waitUntil is not a function");
}
