/** The owner and the mode of a socket's file change, and those of no other file, whatever stands in its place. */
import assert from "node:assert/strict";
import { linkSync, lstatSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { NotTheSocket, setSocketAccess } from "../../src/system/unix-socket.ts";
import { cleanUp, temporaryFolder } from "../support/command.ts";

async function listen(context: TestContext, path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  cleanUp(context, () => new Promise((resolve) => server.close(resolve)));
  return server;
}

const modeOf = (path: string): number => lstatSync(path).mode & 0o777;

test("the mode of a socket is set", async (context) => {
  const path = join(temporaryFolder(context), "app.sock");
  await listen(context, path);
  for (const mode of [0o600, 0o660, 0o666]) {
    setSocketAccess(path, { mode });
    assert.equal(modeOf(path), mode);
  }
});

test("what has taken the place of a socket is left alone", async (context) => {
  const folder = temporaryFolder(context);
  const [path, other, file] = [join(folder, "app.sock"), join(folder, "other.sock"), join(folder, "victim")];
  await listen(context, other);
  writeFileSync(file, "precious", { mode: 0o600 });
  const before = [file, other].map(modeOf);
  const places: [string, () => void][] = [
    ["a link to a file", () => symlinkSync(file, path)],
    ["a link to a socket", () => symlinkSync(other, path)],
    ["another name of a file", () => linkSync(file, path)],
    ["another name of a socket", () => linkSync(other, path)],
  ];
  for (const [what, put] of places) {
    put();
    assert.throws(
      () => setSocketAccess(path, { mode: 0o666, uid: process.getuid?.() ?? 0 }),
      (error: NodeJS.ErrnoException) => error instanceof NotTheSocket || error.code === "ELOOP",
      what,
    );
    rmSync(path);
  }
  assert.deepEqual([file, other].map(modeOf), before);
});
