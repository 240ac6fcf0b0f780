/** Clients whose machine loses its network close nothing. Each of their connections ends with its timeout. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { WorkerReport } from "../../src/control/api.ts";
import { requestControl } from "../../src/control/control-client.ts";
import { cleanUp, FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent, noNetworks } from "../support/component.ts";
import { Machine } from "../support/machine.ts";

const skip = noNetworks();
const ADDRESS = "10.78.0.2";
const CABLE = "to-server";
const CLIENTS = 5;

/** The clients' machine, with a network cable to the server's. */
async function machines(context: TestContext, folder: string): Promise<[clients: Machine, server: Machine]> {
  const clients = await Machine.start(context, join(folder, "clients"));
  const server = await Machine.start(context, join(folder, "server"));
  clients.execute("ip", "link", "add", "lan", "type", "bridge");
  clients.execute("ip", "address", "add", "10.78.0.1/24", "dev", "lan");
  clients.execute("ip", "link", "set", "lan", "up");
  clients.connect(server, CABLE, "lan", ADDRESS);
  return [clients, server];
}

/** Resolves when everything they send has been sent. */
async function startClients(context: TestContext, machine: Machine, port: number): Promise<ChildProcess> {
  const script = join(FIXTURES, "network", "clients.mjs");
  const [program = "", ...words] = [...machine.enter(), process.execPath, script, ADDRESS, `${port}`];
  const clients = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(clients, "exit");
  cleanUp(context, async () => {
    clients.kill("SIGKILL");
    await exited;
  });
  await once(clients.stdout, "data");
  return clients;
}

for (const app of ["mirror.mjs", "mirror-listener.cjs"]) {
  test(`connections of clients that are cut off are closed: ${app}`, { skip }, async (context) => {
    if (!hasComponent(context, "ip", "iproute2")) return;
    const folder = temporaryFolder(context);
    const [there, here] = await machines(context, folder);
    const control = join(folder, "control.sock");
    const clocks = ["--keep-alive", "2s", "--header-timeout", "2s", "--body-timeout", "2s"];
    const args = [`faults/${app}`, "--bind", `${ADDRESS}:0`, "--control-socket", control, ...clocks];
    const server = startCommand(context, args, { prefix: here.enter(FIXTURES) });
    await server.ready();
    const connections = async (): Promise<number> => {
      const { body } = await requestControl(control, "GET", "/workers");
      return (body as WorkerReport[]).reduce((sum, worker) => sum + worker.connections, 0);
    };
    const clients = await startClients(context, there, await server.port());
    await until("all are counted", async () => (await connections()) === CLIENTS);
    there.execute("ip", "link", "set", CABLE, "down");
    clients.kill("SIGKILL");
    await until("none is counted", async () => (await connections()) === 0);
    // They do not delay the stop either.
    const since = performance.now();
    assert.deepEqual(await server.end(), { code: 0, signal: null });
    assert.ok(performance.now() - since < 10_000);
  });
}
