/** URLs of sockets that another program bound. */
import assert from "node:assert/strict";
import { fstatSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { socketUrl } from "../../../src/arbiter/sockets/sockets.ts";
import { temporaryFolder } from "../../support/command.ts";

test("a socket's URL comes from the kernel's tables", {
  skip: process.platform !== "linux" && "looks into /proc",
}, async (t) => {
  const path = join(temporaryFolder(t), "a b.sock");
  for (const [where, name] of [
    [{ port: 0, host: "127.0.0.1" }, /^http:\/\/127\.0\.0\.1:(\d+)$/],
    [{ port: 0, host: "::1" }, /^http:\/\/\[::1\]:(\d+)$/],
    [{ path }, new RegExp(`^unix:${path}$`)],
  ] as const) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(where, resolve));
    t.after(() => server.close());
    const found = name.exec(socketUrl((server as unknown as { _handle: { fd: number } })._handle.fd));
    const address = server.address();
    assert.equal(found?.[1], typeof address === "object" ? `${address?.port}` : undefined);
    assert.ok(found !== null);
  }
});

test("addresses of the tables are in the machine's byte order", (t) => {
  const root = `${temporaryFolder(t)}/`;
  mkdirSync(join(root, "proc/self/net"), { recursive: true });
  const fd = openSync(join(root, "file"), "w");
  const row = (address: string): string =>
    `  sl  local_address rem_address   st\n   0: ${address} 0:0 0A 0:0 00:00 0 0 0 ${fstatSync(fd).ino} 1\n`;
  const files = { unix: "Num\n", tcp: "sl\n", tcp6: "sl\n" };
  const name = (given: Partial<typeof files>): string => {
    for (const [file, text] of Object.entries({ ...files, ...given }))
      writeFileSync(join(root, "proc/self/net", file), text);
    return socketUrl(fd, root);
  };
  assert.equal(name({ tcp: row("0100A8C0:0050") }), "http://192.168.0.1:80");
  assert.equal(name({ tcp6: row("B80D0120000000000000000001000000:1F90") }), "http://[2001:db8::1]:8080");
  assert.equal(name({}), `fd:${fd}`);
  assert.equal(socketUrl(fd, "/nonexistent/"), `fd:${fd}`);
});
