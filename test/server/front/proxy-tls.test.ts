/** TLS behind a PROXY header, in the server and in servers that the app made: whom they see. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { type CertificateFiles, TestAuthority } from "../../support/certificates.ts";
import { FIXTURES, startCommand, temporaryFolder } from "../../support/command.ts";
import { hasComponent } from "../../support/component.ts";
import { textHeader } from "../../support/proxy-headers.ts";

const APP = `${join(FIXTURES, "proxy/ends.mjs")}:app`;
const LISTENER = `${join(FIXTURES, "proxy/ends.mjs")}:server`;
const LISTENS_SECURELY = join(FIXTURES, "proxy/listens-securely.mjs");

const GET = "GET / HTTP/1.0\r\n\r\n";
const DEADLINE_MS = 60_000;
const CLIENT = "192.0.2.7";

async function serve(
  context: TestContext,
  args: (files: CertificateFiles) => readonly string[],
  env: (files: CertificateFiles) => NodeJS.ProcessEnv = () => ({}),
): Promise<number> {
  const files = new TestAuthority(temporaryFolder(context)).sign("server");
  const words = [...args(files), "-b", "127.0.0.1:0", "--no-control-socket", "--proxy-protocol", "v1"];
  const command = startCommand(context, words, { env: env(files) });
  await command.ready();
  const [url = ""] = await command.urls();
  return Number(new URL(url).port);
}

/** A connection that has sent its header. */
async function introduced(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(textHeader(CLIENT));
  return socket;
}

/** The bytes that come over TLS until the end. */
async function securely(port: number, request: string): Promise<string> {
  const socket = connectTls({ socket: await introduced(port), rejectUnauthorized: false });
  const timer = setTimeout(() => socket.destroy(new Error("no end")), DEADLINE_MS);
  socket.write(request);
  let text = "";
  for await (const chunk of socket.setEncoding("utf8")) text += chunk;
  clearTimeout(timer);
  return text;
}

const tlsOver = (socket: Socket): Duplex =>
  connectTls({ socket, ALPNProtocols: ["h2"], rejectUnauthorized: false });

async function overHttp2(connection: Duplex): Promise<string> {
  const session = connectHttp2("http://localhost", { createConnection: () => connection });
  const stream = session.request({ ":path": "/" }).setEncoding("utf8");
  let text = "";
  for await (const chunk of stream) text += chunk;
  session.close();
  return text;
}

function told(answer: string): Record<string, unknown> {
  return JSON.parse(answer.slice(answer.indexOf("{"))) as Record<string, unknown>;
}

const own = ({ certificate, key }: CertificateFiles): string[] => [
  "--certfile",
  certificate,
  "--keyfile",
  key,
];

describe("TLS behind a PROXY header", { concurrency: true }, () => {
  test("a gateway app sees the client and https", async (context) => {
    if (!hasComponent(context, "openssl")) return;
    const port = await serve(context, (files) => [APP, ...own(files)]);
    const { remote, scheme, proxy } = told(await securely(port, GET));
    assert.deepEqual([(remote as { address: string }).address, scheme], [CLIENT, "https"]);
    assert.equal((proxy as { version: number }).version, 1);
  });

  test("a node listener sees the client", async (context) => {
    if (!hasComponent(context, "openssl")) return;
    const port = await serve(context, (files) => [LISTENER, "--interface=node", ...own(files)]);
    assert.equal(told(await securely(port, GET)).remoteAddress, CLIENT);
  });

  for (const secure of [false, true])
    test(`a gateway app sees it over HTTP/2 ${secure ? "and TLS" : "in cleartext"}`, async (context) => {
      if (!hasComponent(context, "openssl")) return;
      const how = (files: CertificateFiles): string[] => (secure ? own(files) : []);
      const port = await serve(context, (files) => [APP, "--http-protocols", "h1,h2", ...how(files)]);
      const below = await introduced(port);
      const { remote, scheme } = told(await overHttp2(secure ? tlsOver(below) : below));
      assert.deepEqual(
        [(remote as { address: string }).address, scheme],
        [CLIENT, secure ? "https" : "http"],
      );
    });

  for (const kind of ["https", "http2", "tls"] as const)
    test(`the app's own server of ${kind} sees the client`, async (context) => {
      if (!hasComponent(context, "openssl")) return;
      const env = ({ certificate, key }: CertificateFiles): NodeJS.ProcessEnv => ({
        KIND: kind,
        CERT: certificate,
        KEY: key,
      });
      const port = await serve(context, () => [LISTENS_SECURELY], env);
      assert.equal(told(await securely(port, kind === "tls" ? "" : GET)).remoteAddress, CLIENT);
      if (kind !== "http2") return;
      assert.equal(told(await overHttp2(tlsOver(await introduced(port)))).remoteAddress, CLIENT);
    });
});
