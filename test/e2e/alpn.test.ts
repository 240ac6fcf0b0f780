/** Which protocol a client gets by ALPN, with curl as the client and under every version of Node. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { TestAuthority } from "../support/certificates.ts";
import { FIXTURES, startCommand, temporaryFolder } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { otherNodes } from "../support/other-nodes.ts";

const APP = `${join(FIXTURES, "tls", "gateway.mjs")}:app`;

async function serve(context: TestContext, node: string, protocols: string) {
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  const { certificate, key } = authority.sign("site");
  const words = [APP, "-b", "127.0.0.1:0", "-w", "1", "--http-protocols", protocols];
  const command = startCommand(context, [...words, "--certfile", certificate, "--keyfile", key], {
    cwd: folder,
    node,
  });
  await command.ready();
  const port = await command.port();
  /** The version that curl got, and what the app saw. */
  return async (version: string): Promise<[version: string, alpn: unknown]> => {
    const url = `https://localhost:${port}/`;
    const format = [
      "-sS",
      "--connect-to",
      "::127.0.0.1:",
      "--cacert",
      authority.file,
      "-w",
      "\n%{http_version}",
    ];
    const { stdout } = await promisify(execFile)("curl", [version, ...format, url], { timeout: 20_000 });
    const [content = "", got = ""] = stdout.split("\n");
    return [got, (JSON.parse(content) as { alpn: unknown }).alpn];
  };
}

for (const node of [process.execPath, ...otherNodes]) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  test(`${version}: a client that offers both gets HTTP/2, in whatever order they are set`, async (context) => {
    if (!hasComponent(context, "curl") || !hasComponent(context, "openssl")) return;
    for (const protocols of ["h1,h2", "h2,h1"]) {
      const ask = await serve(context, node, protocols);
      assert.deepEqual(await ask("--http2"), ["2", "h2"], protocols);
      assert.deepEqual(await ask("--http1.1"), ["1.1", "http/1.1"], protocols);
      assert.deepEqual(await ask("--no-alpn"), ["1.1", undefined], protocols);
    }
  });
}

test("h2 alone refuses a client that offers only HTTP/1.1", async (context) => {
  if (!hasComponent(context, "curl") || !hasComponent(context, "openssl")) return;
  const ask = await serve(context, process.execPath, "h2");
  assert.deepEqual(await ask("--http2"), ["2", "h2"]);
  await assert.rejects(ask("--http1.1"), /alert|handshake/i);
});
