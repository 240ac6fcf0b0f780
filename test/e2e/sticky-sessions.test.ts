/** `examples/sticky-sessions`: Socket.IO's own clients, polling through a real nginx, through a reload. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { cleanUp, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { freePort } from "../support/free-port.ts";
import { installedExample } from "../support/installed-example.ts";
import { runNginx } from "../support/nginx.ts";

/** The part of socket.io-client that is used. */
interface Client {
  readonly connected: boolean;
  on(event: string, listener: (problem: Error | string) => void): void;
  emitWithAck(event: string): Promise<number>;
  timeout(milliseconds: number): Client;
  close(): void;
}

const CLIENTS = 12;

test("clients that poll stay at their worker, and all are served again after a reload", async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const example = await installedExample(context, {
    name: "sticky-sessions",
    app: "server.js",
    server: "server.js",
  });
  if (example === undefined) return;
  const folder = temporaryFolder(context);
  cpSync(example.folder, folder, { recursive: true });
  symlinkSync(join(import.meta.dirname, "..", ".."), join(folder, "node_modules", "tsgun"));
  const command = startCommand(context, ["--no-control-socket"], { cwd: folder });
  await command.ready();
  const port = await freePort();
  const site = readFileSync(join(folder, "nginx.conf"), "utf8").replaceAll(
    "127.0.0.1:8080",
    `127.0.0.1:${port}`,
  );
  // The master of nginx is root here, and so are its workers then: the sockets belong to the user of the test.
  writeFileSync(join(folder, "nginx.conf"), `${process.getuid?.() === 0 ? "user root;" : ""}\n${site}`);
  await runNginx(context, {
    args: ["-p", folder, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"],
    cwd: folder,
    port,
  });

  const { io } = createRequire(join(folder, "server.js"))("socket.io-client") as {
    io(url: string, options: object): Client;
  };
  const troubles: string[] = [];
  const clients = Array.from({ length: CLIENTS }, () => {
    const client = io(`http://127.0.0.1:${port}`, {
      transports: ["polling"],
      withCredentials: true,
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
    });
    cleanUp(context, () => client.close());
    client.on("connect_error", (error) => troubles.push(String(error)));
    client.on("disconnect", (why) => troubles.push(String(why)));
    return client;
  });
  const connected = (): boolean => clients.every((client) => client.connected);
  const ask = (): Promise<number[]> =>
    Promise.all(clients.map((client) => client.timeout(10_000).emitWithAck("who")));

  await until("all clients are connected", connected);
  const before = await ask();
  const old = command.workers();
  assert.deepEqual([...new Set(before)].sort(), [...old].sort(), "both workers have clients");
  for (let round = 0; round < 10; round++) assert.deepEqual(await ask(), before);
  assert.deepEqual(troubles, []);

  command.kill("SIGHUP");
  await command.ready(2);
  const after = await until("all are served by the new workers", async () => {
    if (!connected()) return false;
    const answers = await ask();
    return answers.every((pid) => !old.includes(pid)) && answers;
  });
  assert.equal(new Set(after).size, 2);
  const settled = troubles.length;
  for (let round = 0; round < 10; round++) assert.deepEqual(await ask(), after);
  assert.equal(troubles.length, settled);
});
