/** docs/openapi.yaml against the table of routes; `test/control/openapi.test.ts` holds its schemas to real responses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type RouteParts, routeTable } from "../../src/arbiter/control/route-table.ts";
import { openapi } from "../support/openapi.ts";

test("docs/openapi.yaml has the routes of the code, with who may use each", async () => {
  const routes = await routeTable({} as RouteParts);
  const inCode = routes.map(({ method, path, audience = "operator" }) => {
    return `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")} ${audience}`;
  });
  const documented = Object.entries(openapi().paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, operation]) => `${method.toUpperCase()} ${path} ${operation["x-audience"]}`,
    ),
  );
  assert.deepEqual(documented.sort(), inCode.sort());
});

test("every path names its parameters, and every reference leads somewhere", () => {
  const document = openapi();
  for (const [path, operations] of Object.entries(document.paths))
    for (const operation of Object.values(operations)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const described = (operation.parameters ?? []).filter((each) => each.in === "path");
      assert.deepEqual(
        described.map(({ name }) => name),
        named,
        path,
      );
    }
  const schemas = new Set(Object.keys(document.components.schemas));
  const used = new Set(
    [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name),
  );
  assert.deepEqual([...used].sort(), [...schemas].sort());
});
