import assert from "node:assert/strict";
import { test } from "node:test";
import { routesAreNamed } from "../../src/exchange/route.ts";
import { MAX_SERIES, METHODS } from "../../src/scoreboard/layout.ts";
import { PageMeter } from "../../src/worker/page-meter.ts";
import { MAX_ROUTES, NO_ROUTE, OTHER_ROUTE, RouteNames } from "../../src/worker/route-names.ts";
import { BoardPage } from "../support/board-page.ts";

test("routes have numbers up to a limit, and names that a key can hold", () => {
  const routes = new RouteNames();
  assert.equal(routes.numberOf(""), NO_ROUTE);
  const first = routes.numberOf("/a|b\u0000\u0085\u20ac\u00e9 c");
  assert.equal(routes.nameOf(first), "/a?b???\u00e9 c");
  assert.equal(routes.numberOf("/a|b\u0000\u0085\u20ac\u00e9 c"), first);
  assert.equal(routes.nameOf(routes.numberOf("/x".repeat(1000))), "/x".repeat(40));
  for (let index = 2; index < MAX_ROUTES; index += 1)
    assert.equal(routes.nameOf(routes.numberOf(`/${index}`)), `/${index}`);
  assert.equal(routes.numberOf("/one-too-many"), OTHER_ROUTE);
  assert.equal(routes.nameOf(OTHER_ROUTE), "_other");
  assert.equal(routes.numberOf("/2"), routes.numberOf("/2"));
});

test("every request is counted, whatever its route, when the page has no more room for routes", (context) => {
  const board = new BoardPage(context);
  const page = board.writer();
  const meter = new PageMeter(page);
  assert.equal(routesAreNamed(), false);
  let sent = 0;
  const send = (method: string, status: number, route: string): void => {
    const number = meter.begin(method, "/", 0, 0);
    meter.end(number, method, status, 0, "client_gone", 1, route, { id: undefined });
    sent += 1;
  };
  const long = "/x".repeat(100);
  for (const method of ["GET", "OPTIONS"])
    for (let status = 200; status < 204; status += 1)
      for (let route = 0; route < MAX_ROUTES + 5; route += 1) send(method, status, `/${route}${long}`);
  // Those without a route still have room.
  for (const method of METHODS) send(method, 200, "");
  page.flush();
  const counts = Object.entries(board.counts());
  assert.equal(
    counts.reduce((sum, [, count]) => sum + count, 0),
    sent,
  );
  assert.ok(counts.length > 200 && counts.length < MAX_SERIES - 100, `${counts.length} series`);
  assert.ok(counts.some(([key]) => key.endsWith("|_other")));
  assert.equal(counts.filter(([key]) => key.endsWith("|")).length, METHODS.length);
});
