/** HTTP/2 over TLS through the built command: what ALPN chooses for which app, and how requests are counted. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:http2";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { ask } from "../support/ask.ts";
import { connectTls } from "../support/ask-tls.ts";
import { TestAuthority } from "../support/certificates.ts";
import { cleanUp, FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { ask as askOverHttp2 } from "../support/http2-engine.ts";
import { readMetrics, sumOf } from "../support/metrics-text.ts";

const run = promisify(execFile);
const GATEWAY = `${join(FIXTURES, "tls", "gateway.mjs")}:app`;
const LISTENER = `${join(FIXTURES, "tls", "listener.mjs")}:listener`;
const EXPRESS = `${join(FIXTURES, "apps", "frameworks", "busy.js")}:express()`;

async function serve(context: TestContext, app: string, ...args: string[]) {
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  const { certificate, key } = authority.sign("server");
  const control = join(folder, "c.ctl");
  const secure = ["--certfile", certificate, "--keyfile", key, "--http-protocols", "h1,h2"];
  const where = ["-b", "127.0.0.1:0", "--control-socket", control, "-w", "1"];
  const command = startCommand(context, [app, ...where, ...secure, ...args]);
  await command.ready();
  return { command, control, port: await command.port(), ca: authority.pem, caFile: authority.file };
}

/** The choice of ALPN for a client that offers these. */
async function chosen(port: number, ca: string, ...ALPNProtocols: string[]): Promise<string | false | null> {
  const socket = await connectTls({ port, ca, ALPNProtocols });
  socket.destroy();
  return socket.alpnProtocol;
}

test("ALPN gives a gateway app both protocols, and requests of both are logged and counted as https", async (context) => {
  if (!hasComponent(context, "openssl") || !hasComponent(context, "curl")) return;
  const { command, control, port, ca, caFile } = await serve(context, GATEWAY, "--access-logfile", "-");
  const url = `https://localhost:${port}/`;
  const curl = async (version: string): Promise<string> => {
    const words = ["-s", "--cacert", caFile, `--${version}`, "-w", " %{http_version} %{response_code}", url];
    return (await run("curl", [...words, "--resolve", `localhost:${port}:127.0.0.1`])).stdout;
  };
  assert.match(await curl("http2"), /"scheme":"https","httpVersion":"2\.0".* 2 200$/);
  assert.match(await curl("http1.1"), /"scheme":"https","httpVersion":"1\.1".* 1\.1 200$/);
  assert.equal(await chosen(port, ca, "http/1.1", "h2"), "h2");
  assert.equal(await chosen(port, ca, "http/1.1"), "http/1.1");

  const session = connect(`https://localhost:${port}`, { ca });
  cleanUp(context, () => session.destroy());
  await once(session, "connect");
  const seen = JSON.parse((await askOverHttp2(session)).text);
  assert.deepEqual([seen.httpVersion, seen.alpn, seen.serverName], ["2.0", "h2", "localhost"]);

  await until("both are in the access log", () => /HTTP\/1\.1" 200/.test(command.stdout));
  assert.equal(command.stdout.match(/"GET \/ HTTP\/2\.0" 200/g)?.length, 2);
  const counted = async (version: string, scheme: string): Promise<number> => {
    const { samples } = readMetrics((await ask({ path: control }, "/metrics")).text);
    const labels = new RegExp(`url_scheme="${scheme}",.*network_protocol_version="${version}"`);
    return sumOf(samples, "http_server_request_duration_seconds_count", labels);
  };
  for (const [version, count] of [["2", 2] as const, ["1.1", 1] as const])
    await until(`${version} is counted`, async () => (await counted(version, "https")) === count);
  assert.deepEqual([await counted("2", "http"), await counted("1.1", "http")], [0, 0]);
});

test("ALPN gives a node listener both protocols, and its socket is that of the connection", async (context) => {
  if (!hasComponent(context, "openssl") || !hasComponent(context, "curl")) return;
  const { command, port, ca, caFile } = await serve(context, LISTENER, "--access-logfile", "-");
  assert.equal(await chosen(port, ca, "http/1.1", "h2"), "h2");
  const seen = async (version: string): Promise<unknown> => {
    const words = ["-s", "--cacert", caFile, `--${version}`, `https://localhost:${port}/`];
    const { stdout } = await run("curl", [...words, "--resolve", `localhost:${port}:127.0.0.1`]);
    return JSON.parse(stdout);
  };
  const shared = { encrypted: true, servername: "localhost", remoteAddress: "127.0.0.1" };
  assert.deepEqual(await seen("http2"), { httpVersion: "2.0", alpnProtocol: "h2", ...shared });
  assert.deepEqual(await seen("http1.1"), { httpVersion: "1.1", alpnProtocol: "http/1.1", ...shared });
  await until("it is in the access log", () => /"GET \/ HTTP\/2\.0" 200 /.test(command.stdout));
});

test("ALPN gives Express HTTP/1.1, and the start says so; without h1 it fails", async (context) => {
  if (!hasComponent(context, "openssl")) return;
  const { command, port, ca } = await serve(context, EXPRESS);
  assert.equal(await chosen(port, ca, "h2", "http/1.1"), "http/1.1");
  await command.line(/\[WARNING\] HTTP\/2 \(--http-protocols\) cannot serve Express app: .* HTTP\/1\.1 only/);
  const only = startCommand(context, [EXPRESS, "-b", "127.0.0.1:0", "--http-protocols", "h2"]);
  assert.equal((await only.ended()).code, 4);
  assert.match(only.stderr, /cannot serve Express app: .*; add h1, or leave --http-protocols out/);
});
