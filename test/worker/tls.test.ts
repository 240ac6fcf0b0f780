/** TLS through the built command: what clients and apps see, and new certificates without a lost request. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { askTls, connectTls } from "../support/ask-tls.ts";
import { encryptKey, TestAuthority } from "../support/certificates.ts";
import { FIXTURES, startCommand, temporaryFolder, until } from "../support/command.ts";

const APP = `${join(FIXTURES, "tls", "gateway.mjs")}:app`;

async function serve(context: TestContext, folder: string, args: readonly string[], app = APP) {
  const command = startCommand(context, [app, "-b", "127.0.0.1:0", ...args], { cwd: folder });
  await command.ready();
  return { command, port: await command.port() };
}

test("clients are served over TLS, resume on any worker, and get new certificates by a reload", async (context) => {
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  authority.sign("first");
  authority.sign("second");
  for (const end of ["pem", "key"]) copyFileSync(join(folder, `first.${end}`), join(folder, `site.${end}`));
  const files = ["--certfile", "site.pem", "--keyfile", "site.key"];
  const { command, port } = await serve(context, folder, [...files, "-w", "2", "--access-logfile", "-"]);
  assert.deepEqual(await command.urls(), [`https://127.0.0.1:${port}`]);
  const trust = { port, ca: authority.pem };

  await context.test("the app sees scheme, version, name and protocol", async () => {
    const { json, server, protocol } = await askTls({ ...trust, ALPNProtocols: ["http/1.1"] });
    const { pid, ...seen } = json;
    assert.deepEqual(seen, {
      scheme: "https",
      httpVersion: "1.1",
      version: "TLSv1.3",
      cipher: "TLS_AES_256_GCM_SHA384",
      serverName: "localhost",
      alpn: "http/1.1",
    });
    assert.ok(command.workers().includes(pid as number));
    assert.deepEqual([server, protocol], ["first", "TLSv1.3"]);
  });

  await context.test("the access log names the client", async () => {
    await until("its line is there", () =>
      /^127\.0\.0\.1 - - .*"GET \/ HTTP\/1\.1" 200/m.test(command.stdout),
    );
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    await context.test(`${version}: a session is resumed on every worker`, async () => {
      const options: ConnectionOptions = { ...trust, minVersion: version, maxVersion: version };
      const pids = new Set<unknown>();
      let { session } = await askTls(options);
      assert.ok(session !== undefined);
      for (let round = 0; round < 200 && pids.size < 2; round += 1) {
        const next = await askTls({ ...options, session });
        assert.ok(next.reused, `round ${round} made a full handshake`);
        pids.add(next.json.pid);
        session = next.session ?? session;
      }
      assert.equal(pids.size, 2);
    });
  }

  await context.test("plain HTTP is told so, old versions and foreign protocols are refused", async () => {
    const plain = connect({ port, host: "127.0.0.1" });
    plain.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let text = "";
    for await (const chunk of plain) text += chunk;
    assert.match(
      text,
      /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*plain HTTP request was sent to an HTTPS port\n$/,
    );
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    await assert.rejects(connectTls({ ...trust, ...old }), /protocol version/);
    await assert.rejects(connectTls({ ...trust, ALPNProtocols: ["h3"] }), /no application protocol/);
  });

  await context.test("a reload brings new certificates, and loses no request", async () => {
    let isOver = false;
    const errors: unknown[] = [];
    let answered = 0;
    const client = async (): Promise<void> => {
      while (!isOver) {
        await askTls(trust).then(
          ({ text }) => {
            assert.match(text, /^HTTP\/1\.1 200/);
            answered += 1;
          },
          (error) => errors.push(error),
        );
      }
    };
    const clients = Array.from({ length: 4 }, client);
    try {
      const { session } = await askTls({ ...trust, maxVersion: "TLSv1.2" });
      for (const end of ["pem", "key"])
        copyFileSync(join(folder, `second.${end}`), join(folder, `site.${end}`));
      command.kill("SIGHUP");
      await command.ready(2);
      // A worker of the first generation may have accepted this one.
      await until("the new certificate is shown", async () => (await askTls(trust)).server === "second");
      const resumed = await askTls({ ...trust, maxVersion: "TLSv1.2", session });
      assert.ok(resumed.reused, "the session of the first generation is forgotten");
    } finally {
      isOver = true;
      await Promise.all(clients);
    }
    assert.deepEqual(errors, []);
    assert.ok(answered > 10, `only ${answered} requests`);
  });

  await context.test("a reload with files that do not fit leaves everything as it is", async () => {
    copyFileSync(join(folder, "first.key"), join(folder, "site.key"));
    command.kill("SIGHUP");
    await command.line(/keyfile: .*site\.key is not the key of the certificate in .*site\.pem/);
    assert.equal((await askTls(trust)).server, "second");
  });
});

test("names choose among certificates, and clients show theirs", async (context) => {
  const folder = temporaryFolder(context);
  const authority = new TestAuthority(folder);
  const main = authority.sign("main");
  const shop = authority.sign("shop", { names: "DNS:shop.test,DNS:*.shop.test" });
  const client = authority.sign("client", {
    names: "URI:spiffe://example/client",
    subject: "/O=Example/CN=the client",
  });
  const stranger = new TestAuthority(folder, "stranger").sign("other");
  writeFileSync(join(folder, "password"), "wrong\nright\n", { mode: 0o600 });
  const encrypted = encryptKey(shop.key, "right");
  const { port } = await serve(context, folder, [
    ...["--certfile", main.certificate, "--keyfile", main.key, "--certfile", shop.certificate],
    ...["--keyfile", encrypted, "--keyfile-password-file", "password", "--ssl-version", "TLSv1.3"],
    ...["--ca-certs", authority.file, "--cert-reqs", "optional", "--ciphers", "TLS_AES_128_GCM_SHA256"],
  ]);
  const trust = { port, ca: authority.pem };
  const own = { cert: readFileSync(client.certificate), key: readFileSync(client.key) };

  await context.test("by SNI, wildcards included", async () => {
    const named = async (servername: string): Promise<unknown> =>
      (await askTls({ ...trust, servername, checkServerIdentity: () => undefined })).server;
    assert.equal(await named("shop.test"), "shop");
    assert.equal(await named("WWW.shop.test"), "shop");
    assert.equal(await named("a.b.shop.test"), "main");
    assert.equal(await named("unknown.test"), "main");
  });

  await context.test("the app sees the client's certificate, or that there is none", async () => {
    const { json } = await askTls({ ...trust, ...own });
    const { raw, validFrom, validTo, serialNumber, fingerprint256, ...peer } = json.peer as Record<
      string,
      unknown
    >;
    assert.deepEqual(peer, {
      authorized: true,
      subject: "CN=the client,O=Example",
      issuer: "CN=authority",
      subjectAltName: "URI:spiffe://example/client",
    });
    assert.ok((raw as number) > 300 && Date.parse(validTo as string) > Date.now());
    assert.match(`${serialNumber} ${fingerprint256}`, /^[0-9A-F]+ [0-9A-F]{64}$/);
    assert.equal(json.cipher, "TLS_AES_128_GCM_SHA256");
    assert.equal((await askTls(trust)).json.peer, undefined);
    const wrong = { cert: readFileSync(stranger.certificate), key: readFileSync(stranger.key) };
    const { authorized, error } = (await askTls({ ...trust, ...wrong })).json.peer as Record<string, unknown>;
    assert.deepEqual([authorized, error], [false, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]);
  });

  await context.test("a resumed session still has it", async () => {
    const { session } = await askTls({ ...trust, ...own });
    const { json, reused } = await askTls({ ...trust, ...own, session });
    assert.ok(reused);
    assert.equal((json.peer as Record<string, unknown>).subject, "CN=the client,O=Example");
  });

  await context.test("the older version is refused", async () => {
    await assert.rejects(connectTls({ ...trust, maxVersion: "TLSv1.2" }), /protocol version/);
  });
});

describe("the rest of the server", { concurrency: 3 }, () => {
  test("required certificates are required", async (context) => {
    const folder = temporaryFolder(context);
    const authority = new TestAuthority(folder);
    const { certificate, key } = authority.sign("main");
    const client = authority.sign("client");
    const { command, port } = await serve(context, folder, [
      ...["--certfile", certificate, "--keyfile", key, "--log-level", "debug"],
      ...["--ca-certs", authority.file, "--cert-reqs", "2"],
    ]);
    const trust = { port, ca: authority.pem };
    const answer = await askTls({
      ...trust,
      cert: readFileSync(client.certificate),
      key: readFileSync(client.key),
    });
    assert.equal((answer.json.peer as Record<string, unknown>).authorized, true);
    const refused = await askTls(trust).catch((error: Error) => ({ text: "", error }));
    assert.equal(refused.text, "");
    await command.line(/Refused a connection: the client has no certificate/);
    const stranger = new TestAuthority(folder, "stranger").sign("other");
    const wrong = { cert: readFileSync(stranger.certificate), key: readFileSync(stranger.key) };
    for (const [index, maxVersion] of (["TLSv1.2", "TLSv1.3"] as const).entries()) {
      const { text } = await askTls({ ...trust, ...wrong, maxVersion }).catch(() => ({ text: "" }));
      assert.equal(text, "");
      await command.line(/Refused a connection: the client's certificate is refused \(UNABLE_TO/, index + 1);
    }
  });

  test("a client that ends within the handshake loses its place at once", async (context) => {
    const folder = temporaryFolder(context);
    const { certificate, key } = new TestAuthority(folder).sign("main");
    const files = ["--certfile", certificate, "--keyfile", key];
    const { port } = await serve(context, folder, [...files, "--header-timeout", "10m"]);
    const client = connect(port, "127.0.0.1").resume();
    let isClosed = false;
    client
      .on("error", () => {})
      .on("close", () => {
        isClosed = true;
      });
    client.end(Buffer.from("160301", "hex"));
    await until("the server closes the connection", () => isClosed);
  });

  test("a hook makes the context, and a server of TLS is refused", async (context) => {
    const folder = temporaryFolder(context);
    const authority = new TestAuthority(folder);
    const { certificate, key } = authority.sign("main");
    writeFileSync(
      join(folder, "tsgun.config.mjs"),
      `export default { certfile: ${JSON.stringify(certificate)}, keyfile: ${JSON.stringify(encryptKey(key, "secret"))},
        keyfilePassword: "secret",
        sslContext: (settings, defaults) => ({ ...defaults(), maxVersion: "TLSv1.2" }) };`,
    );
    const { port } = await serve(context, folder, []);
    assert.equal((await askTls({ port, ca: authority.pem })).protocol, "TLSv1.2");
    writeFileSync(
      join(folder, "own.mjs"),
      `import { createServer } from "node:https"; createServer({}, (_, response) => response.end()).listen(1);`,
    );
    const own = startCommand(context, ["own.mjs", "-b", "127.0.0.1:0"], { cwd: folder });
    await own.line(/--certfile ends TLS in tsgun, and .* speaks TLS itself: remove --certfile/);
  });

  test("a server of node:net that closes when its client does still does so", async (context) => {
    const folder = temporaryFolder(context);
    const authority = new TestAuthority(folder);
    const { certificate, key } = authority.sign("main");
    writeFileSync(
      join(folder, "echo.mjs"),
      `import { createServer } from "node:net"; createServer((socket) => socket.on("data", (bytes) => socket.write(bytes))).listen(1);`,
    );
    const { port } = await serve(context, folder, ["--certfile", certificate, "--keyfile", key], "echo.mjs");
    const client = await connectTls({ port, ca: authority.pem, allowHalfOpen: true } as ConnectionOptions);
    client.end("echoed");
    let text = "";
    for await (const bytes of client) text += bytes;
    assert.equal(text, "echoed");
  });

  test("node listeners see a socket of TLS", async (context) => {
    const folder = temporaryFolder(context);
    const authority = new TestAuthority(folder);
    const { certificate, key } = authority.sign("main");
    writeFileSync(
      join(folder, "listener.mjs"),
      `export default (request, response) => {
        const { encrypted, remoteAddress, servername } = request.socket;
        response.end(JSON.stringify({ encrypted, remoteAddress, servername, protocol: request.socket.getProtocol() }));
      };`,
    );
    const args = ["--certfile", certificate, "--keyfile", key, "--interface", "node"];
    const { port } = await serve(context, folder, args, "listener.mjs");
    const { json } = await askTls({ port, ca: authority.pem });
    assert.deepEqual(json, {
      encrypted: true,
      remoteAddress: "127.0.0.1",
      servername: "localhost",
      protocol: "TLSv1.3",
    });
  });
});
