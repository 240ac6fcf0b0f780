/** The drain of servers whose protocol tsgun does not speak: requests that are known to be in flight are waited for. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createSecureServer, createServer } from "node:http2";
import { Agent, get } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AcceptLimiter } from "../../src/server/accept-limiter.ts";
import { DEFAULT_TIMEOUTS } from "../../src/server/server-options.ts";
import { StreamServer } from "../../src/server/stream-server.ts";
import { temporaryFolder, until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";

const LINGER_MS = 50;
/** Several times as long as the linger, and as the interval at which the drain looks. */
const WORK_MS = 500;

async function serve(context: TestContext, server: Server): Promise<{ port: number; served: StreamServer }> {
  const served = new StreamServer({
    server,
    limiter: new AcceptLimiter(),
    timeouts: DEFAULT_TIMEOUTS,
    onAcceptError: (error) => assert.fail(error),
  });
  context.after(() => served.destroy());
  let port = 0;
  await served.open(async (acceptor) => {
    acceptor.listen(0, "127.0.0.1");
    await once(acceptor, "listening");
    port = (acceptor.address() as AddressInfo).port;
  });
  return { port, served };
}

/** A certificate for localhost; undefined, and the test is skipped, without openssl. */
function certificate(context: TestContext): { key: Buffer; cert: Buffer } | undefined {
  if (!hasComponent(context, "openssl")) return undefined;
  const cwd = temporaryFolder(context);
  const words = "req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 1 -subj /CN=localhost";
  execFileSync("openssl", words.split(" "), { cwd, stdio: "ignore" });
  return { key: readFileSync(join(cwd, "key")), cert: readFileSync(join(cwd, "cert")) };
}

async function slowStream(context: TestContext, url: string, served: StreamServer): Promise<string> {
  const session = connect(url, { rejectUnauthorized: false });
  context.after(() => session.destroy());
  const stream = session.request({ ":path": "/slow" });
  await until("the request is in flight", () => served.inFlight().length > 0);
  const drained = served.drain(LINGER_MS);
  let text = "";
  for await (const piece of stream.setEncoding("utf8")) text += piece;
  await drained;
  return text;
}

test("HTTP/2: a stream on which nothing moves for longer than the linger is answered", async (context) => {
  const server = createServer((_request, response) => setTimeout(() => response.end("slow"), WORK_MS));
  const { port, served } = await serve(context, server);
  assert.equal(await slowStream(context, `http://127.0.0.1:${port}`, served), "slow");
});

test("HTTP/2 over TLS: the same", async (context) => {
  const options = certificate(context);
  if (options === undefined) return;
  const server = createSecureServer(options);
  server.on("stream", (stream) => setTimeout(() => stream.end("slow"), WORK_MS));
  const { port, served } = await serve(context, server);
  assert.equal(await slowStream(context, `https://127.0.0.1:${port}`, served), "slow");
});

test("HTTP/1.1 on a server of HTTP/2: requests are in flight and counted, and answered during a drain", async (context) => {
  const options = certificate(context);
  if (options === undefined) return;
  const server = createSecureServer({ ...options, allowHTTP1: true }, (_request, response) =>
    setTimeout(() => response.end("slow"), WORK_MS),
  );
  const { port, served } = await serve(context, server);
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  context.after(() => agent.destroy());
  const answered = new Promise<string>((resolve, reject) => {
    const asked = get({ port, host: "127.0.0.1", path: "/slow?x", agent }, async (response) => {
      let text = "";
      for await (const piece of response.setEncoding("utf8")) text += piece;
      resolve(text);
    });
    asked.on("error", reject);
  });
  await until("the request is in flight", () => served.inFlight()[0]?.target === "/slow?x");
  const drained = served.drain(LINGER_MS);
  assert.equal(await answered, "slow");
  await drained;
  assert.equal(served.requests, 1);
});
