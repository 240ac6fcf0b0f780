import assert from "node:assert/strict";
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ControlEndpoints } from "../../../src/arbiter/control/control-endpoints.ts";
import type { Controllable } from "../../../src/control/api.ts";
import { requestControl } from "../../../src/control/control-client.ts";
import { ErrorLog } from "../../../src/log/error-log.ts";
import { temporaryFolder, until } from "../../support/command.ts";

const target = { status: () => ({ name: "app" }) } as unknown as Controllable;

test("an arbiter that takes its endpoints back before the new one has taken them over still has a control socket", async (context) => {
  const folder = temporaryFolder(context);
  const control = join(folder, "app.ctl");
  const log = new ErrorLog({ target: join(folder, "error.log"), level: "debug" });
  const endpoints = new ControlEndpoints({ adminBind: undefined, controlSocket: control }, target, log);
  context.after(() => endpoints.close(false));
  endpoints.openControl();
  await until("the control socket is open", () => endpoints.sockets.control !== undefined);
  const before = lstatSync(control).ino;
  endpoints.takeOver();
  await until("it is a new socket", () => endpoints.sockets.control?.ino !== before);
  const { status } = await requestControl(control, "GET", "/status");
  assert.equal(status, 200);
});
