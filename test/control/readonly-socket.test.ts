/** The read-only control socket: what it shows, what it refuses, and that it stays through an upgrade. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import { ask as get } from "../support/ask.ts";
import { startCommand, temporaryFolder, until } from "../support/command.ts";

test("the read-only socket shows the server and changes nothing", async (context) => {
  const folder = temporaryFolder(context);
  const shown = join(folder, "shown", "r.ctl");
  const control = join(folder, "c.ctl");
  const args = ["control/app.mjs", "-b", "127.0.0.1:0", "--control-socket", control];
  const command = startCommand(context, [...args, "--control-readonly-socket", shown]);
  await command.ready();
  await until("it is there", () => statSync(shown, { throwIfNoEntry: false })?.isSocket());
  assert.equal(statSync(shown).mode & 0o777, 0o660);
  assert.equal(statSync(join(folder, "shown")).mode & 0o777, 0o755 & ~process.umask());
  const { pid } = command;
  const ask = async (method: "GET" | "POST", path: string) => {
    const { status, body } = await requestControl(shown, method, path, method === "POST" ? {} : undefined);
    return { status, error: (body as { error?: string }).error ?? "", body };
  };
  for (const path of ["/status", "/workers", "/requests", "/events", "/stats", "/history", "/health/ready"])
    assert.equal((await ask("GET", path)).status, 200, path);
  const slow = get({ host: "127.0.0.1", port: await command.port() }, "/slow?token=s3cret").catch(() => {});
  const inFlight = await until("the request is in flight", async () => {
    const { body } = await ask("GET", "/requests");
    return (body as { target: string }[])[0]?.target;
  });
  assert.equal(inFlight, "/slow");
  for (const [method, path] of [
    ["GET", "/config"],
    ["GET", "/logs"],
    ["GET", "/trace"],
    ["GET", `/workers/${pid}/heap`],
    ["GET", `/workers/${pid}/stack`],
    ["POST", "/inject"],
    ["POST", "/reload"],
    ["POST", "/upgrade"],
    ["POST", "/scale"],
    ["POST", `/workers/${pid}/restart`],
    ["POST", "/reopen"],
    ["POST", "/stop"],
  ] as const) {
    const { status, error } = await ask(method, path);
    assert.equal(status, 403, `${method} ${path}`);
    assert.match(error, /is not served on the read-only socket: use the control socket$/);
  }
  assert.equal((await ask("POST", "/status")).status, 405);
  assert.equal((await ask("GET", "/nowhere")).status, 404);

  await until("it is released", async () => {
    await get({ host: "127.0.0.1", port: await command.port() }, "/release");
    return ((await ask("GET", "/requests")).body as unknown[]).length === 0;
  });
  await slow;
  const before = statSync(shown).ino;
  command.kill("SIGUSR2");
  await until("the new arbiter has taken it over", () => statSync(shown).ino !== before);
  const taken = await until("the new arbiter answers", async () => {
    const { body } = await ask("GET", "/status");
    return (body as { pid: number }).pid === pid ? undefined : body;
  });
  assert.equal((taken as { state: string }).state, "serving");
  await requestControl(control, "POST", "/stop", { mode: "quick" });
  await until("it is removed", () => statSync(shown, { throwIfNoEntry: false }) === undefined);
});

test("a path that is taken leaves the server without it, with a warning", async (context) => {
  const folder = temporaryFolder(context);
  const control = join(folder, "c.ctl");
  const args = ["control/app.mjs", "-b", "127.0.0.1:0", "--control-socket", control];
  const command = startCommand(context, [...args, "--control-readonly-socket", folder]);
  await command.ready();
  await command.line(/\[WARNING\] No read-only control socket: .* exists and is not a socket$/);
  assert.equal((await requestControl(control, "GET", "/status")).status, 200);
});
