import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { claimActivatedSockets } from "../../src/systemd/activation.ts";

const SOURCE = join(import.meta.dirname, "../../src/systemd/activation.ts");

/** Runs a service as systemd starts it. A shell sets LISTEN_PID and execs, since the pid is known only then. */
const EXEC_WITH_PID = 'export LISTEN_PID=$$; exec "$@"';

async function run(script: string, fds: (number | "ignore")[], env: NodeJS.ProcessEnv): Promise<unknown> {
  const source = `import { claimActivatedSockets } from ${JSON.stringify(SOURCE)};
    ${script}`;
  const node = [process.execPath, "--import", "@oxc-node/core/register", "--input-type=module", "-e", source];
  const child = spawn("sh", ["-c", EXEC_WITH_PID, "sh", ...node], {
    stdio: ["ignore", "pipe", "inherit", ...fds],
    env: { ...process.env, ...env },
  });
  let text = "";
  child.stdout?.on("data", (chunk) => {
    text += chunk;
  });
  await once(child, "close");
  return JSON.parse(text);
}

async function listening(t: TestContext, where: string | number): Promise<{ server: Server; fd: number }> {
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => {
    if (typeof where === "string") server.listen(where, resolve);
    else server.listen(where, "127.0.0.1", resolve);
  });
  return { server, fd: (server as unknown as { _handle: { fd: number } })._handle.fd };
}

test("claims the sockets from descriptor 3 on with their names, and removes the variables", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tsgun-activation-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [tcp, unix] = [await listening(t, 0), await listening(t, join(folder, "app.sock"))];
  const script = `
    const sockets = claimActivatedSockets();
    const left = Object.keys(process.env).filter((name) => name.startsWith("LISTEN_"));
    console.log(JSON.stringify({ sockets, left, again: claimActivatedSockets() }));
  `;
  assert.deepEqual(await run(script, [tcp.fd, unix.fd], { LISTEN_FDS: "2", LISTEN_FDNAMES: "web:" }), {
    sockets: [
      { fd: 3, name: "web" },
      { fd: 4, name: "unknown" },
    ],
    left: [],
    again: [],
  });
});

test("an announced descriptor that is not a socket is an error with the remedy", async () => {
  const script = `
    const errors = [];
    for (const count of ["1", "2"]) {
      process.env.LISTEN_FDS = count; process.env.LISTEN_PID = String(process.pid);
      try { claimActivatedSockets(); } catch (error) { errors.push(error.message); }
    }
    console.log(JSON.stringify(errors));
  `;
  const messages = (await run(script, ["ignore"], { LISTEN_FDS: "1" })) as string[];
  assert.match(
    messages[0] ?? "",
    /^LISTEN_FDS announces a socket as descriptor 3, which is not a socket: start tsgun directly/,
  );
  assert.equal(messages.length, 2);
});

test("sockets for another process are not claimed, and not left for a child to claim", () => {
  const env: NodeJS.ProcessEnv = { LISTEN_FDS: "1", LISTEN_PID: "1", LISTEN_FDNAMES: "web", HOME: "/" };
  assert.deepEqual(claimActivatedSockets(env, 2), []);
  assert.deepEqual(env, { HOME: "/" });
});

test("no sockets are claimed without the variables, and an invalid count is an error", () => {
  assert.deepEqual(claimActivatedSockets({}, 2), []);
  assert.deepEqual(claimActivatedSockets({ LISTEN_FDS: "0", LISTEN_PID: "2" }, 2), []);
  assert.throws(() => claimActivatedSockets({ LISTEN_FDS: "-1", LISTEN_PID: "2" }, 2), /LISTEN_FDS is "-1"/);
});
