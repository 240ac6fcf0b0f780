import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { lstatSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { ControlEndpoints } from "../../../src/arbiter/control/control-endpoints.ts";
import type { Controllable } from "../../../src/control/api.ts";
import { requestControl } from "../../../src/control/control-client.ts";
import type { Route } from "../../../src/control/json-server.ts";
import { controlRoutes } from "../../../src/control/routes.ts";
import { ErrorLog } from "../../../src/log/error-log.ts";
import { ask } from "../../support/ask.ts";
import { temporaryFolder, until } from "../../support/command.ts";

const target = {
  status: () => ({ name: "app" }),
  health: () => ({ live: true, started: true, ready: true, reason: "ok" }),
} as unknown as Controllable;
const NO_DASHBOARD = {
  controlReadonlySocket: false,
  adminToken: undefined,
  adminTokenFile: undefined,
  dashboard: false,
} as const;
const routes = async (): Promise<Route[]> => controlRoutes(target);

test("an arbiter that takes its endpoints back before the new one has taken them over still has a control socket", async (context) => {
  const folder = temporaryFolder(context);
  const control = join(folder, "app.ctl");
  const log = new ErrorLog({ target: join(folder, "error.log"), level: "debug" });
  const endpoints = new ControlEndpoints(
    { ...NO_DASHBOARD, adminBind: undefined, controlSocket: control },
    routes,
    log,
  );
  context.after(() => endpoints.close(false));
  endpoints.openControl();
  await until("the control socket is open", () => endpoints.sockets.control !== undefined);
  const before = lstatSync(control).ino;
  endpoints.takeOver();
  await until("it is a new socket", () => endpoints.sockets.control?.ino !== before);
  const { status } = await requestControl(control, "GET", "/status");
  assert.equal(status, 200);
});

test("a request that is on its way when the arbiter exits gets its response first", async (context) => {
  const folder = temporaryFolder(context);
  const controlSocket = join(folder, "app.ctl");
  const path = join(folder, "health.sock");
  const log = new ErrorLog({ target: join(folder, "error.log"), level: "debug" });
  const endpoints = new ControlEndpoints(
    { ...NO_DASHBOARD, adminBind: { kind: "unix", path }, controlSocket },
    routes,
    log,
  );
  await endpoints.openHealth();
  endpoints.openControl();
  await until("the control socket is open", () => endpoints.sockets.control !== undefined);
  const clients = [connect(path), connect(controlSocket)];
  for (const client of clients) {
    context.after(() => client.destroy());
    await once(client.resume(), "connect");
  }
  // Their connections are accepted before these.
  await ask({ path }, "/health/live");
  await requestControl(controlSocket, "GET", "/status");
  let sent = 0;
  const count = (): void => {
    sent++;
  };
  subscribe("http.server.response.finish", count);
  context.after(() => unsubscribe("http.server.response.finish", count));
  const closed = endpoints.close(false);
  clients[0]?.write("GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n");
  clients[1]?.write("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
  await closed;
  assert.equal(sent, 2);
});
