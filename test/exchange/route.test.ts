import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { ExchangeRequest } from "../../src/exchange/request.ts";
import { countRoutes, routeOf, routesAreNamed, setRoute } from "../../src/exchange/route.ts";
import { derive } from "../../src/gateway/derive.ts";
import type { GatewayRequest } from "../../src/gateway/types.ts";
import { fetchRequest } from "../../src/interop/fetch-request.ts";

function gatewayRequest(source?: object): ExchangeRequest {
  const rawHeaders = ["Host", "h"];
  const line = { method: "GET", target: "/", httpVersion: "1.1", rawHeaders, upgrade: false } as const;
  const context = { scheme: "http", rootPath: "", proxyRules: undefined };
  return new ExchangeRequest({ ...line, ...(source && { source }) }, context as never, undefined);
}

const OTHERS: readonly unknown[] = [undefined, null, "/", {}, () => {}, { ...gatewayRequest() }, { req: {} }];

test("where nothing is counted, a route has no effect; what is no request is refused all the same", () => {
  const request = gatewayRequest();
  setRoute(request, "/a");
  setRoute(new Request("http://h/"), "/a");
  assert.deepEqual([routeOf(request), routesAreNamed()], ["", false]);
  for (const other of OTHERS)
    assert.throws(() => setRoute(other as GatewayRequest, "/a"), { name: "TypeError", message: /ctx\.req/ });
});

test("a route reaches the request that the server counts", () => {
  countRoutes();
  const request = gatewayRequest();
  assert.equal(routeOf(request), "");
  const derived = derive(derive(request, { path: "/x" }), { state: 1 });
  const lazy = fetchRequest(derived as GatewayRequest);
  for (const [name, given] of Object.entries({ request, derived, lazy, clone: lazy.clone() })) {
    setRoute(given, name);
    assert.equal(routeOf(request), name);
  }
  assert.equal(routesAreNamed(), true);

  const incoming = new IncomingMessage(new Socket());
  setRoute(incoming, "/b");
  assert.equal(routeOf(incoming), "/b");
  // A gateway app on node's server.
  setRoute(gatewayRequest(incoming), "/c");
  assert.equal(routeOf(incoming), "/c");
});

test("a copy by the app and anything else is a TypeError, and so is a route that names nothing", () => {
  countRoutes();
  const copies = [new Request("http://h/"), new Request(fetchRequest(gatewayRequest()))];
  for (const other of [...OTHERS, ...copies])
    assert.throws(() => setRoute(other as GatewayRequest, "/a"), {
      name: "TypeError",
      message: /no copy of it/,
    });
  for (const route of ["", undefined, /a/, 7])
    assert.throws(() => setRoute(gatewayRequest(), route as string), { name: "TypeError", message: /:id/ });
});
