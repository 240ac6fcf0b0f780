/** An https.Server of the app: connections that do not shake hands take places, and make room for others. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, get } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bindSocket, closeSocket, listenWithoutAccepting } from "../../../src/arbiter/sockets/open-socket.ts";
import { AcceptLimiter } from "../../../src/server/accept-limiter.ts";
import { NodeServer } from "../../../src/server/node/node-server.ts";
import { PlaceKeeper } from "../../../src/server/places/place-keeper.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../../src/server/server-options.ts";
import { temporaryFolder, until } from "../../support/command.ts";
import { hasComponent } from "../../support/component.ts";

const PLACES = 8;

async function serve(context: TestContext) {
  const cwd = temporaryFolder(context);
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out cert -days 1";
  execFileSync("openssl", [...words.split(" "), "-subj", "/CN=localhost"], { cwd, stdio: "ignore" });
  const [key, cert] = ["key", "cert"].map((name) => readFileSync(join(cwd, name)));
  const closed: string[] = [];
  const limiter = new AcceptLimiter({
    maxConnections: PLACES,
    loadKeeper: async (places) => new PlaceKeeper(places, (relief) => closed.push(...relief.keys())),
  });
  const node = new NodeServer({
    adopted: {
      server: createServer({ key, cert }, (_, response) => void response.end("served")),
      wrapper: undefined,
    },
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    limiter,
    onError: assert.fail,
    onAcceptError: assert.fail,
  });
  context.after(() => node.destroy());
  const fail = (code: string): Error => new Error(code);
  const { fd, port } = bindSocket({ host: "127.0.0.1", port: 0, ipv6Only: false, reusePort: false }, fail);
  await listenWithoutAccepting(fd, 100, fail);
  context.after(() => closeSocket(fd));
  await node.listen(fd);
  const silent = async (): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    context.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  const ask = async (): Promise<string> => {
    const [response] = await once(
      get({ port, host: "127.0.0.1", rejectUnauthorized: false, agent: false }),
      "response",
    );
    let text = "";
    for await (const piece of response.setEncoding("utf8")) text += piece;
    return text;
  };
  return { node, limiter, closed, silent, ask };
}

test("clients of an https.Server that do not shake hands are counted, and make room for others", async (context) => {
  if (!hasComponent(context, "openssl")) return;
  const { node, limiter, closed, silent, ask } = await serve(context);
  const one = await silent();
  await until("it is counted", () => limiter.connections === 1);
  assert.deepEqual(node.connectionStates(), { active: 0, idle: 1, upgraded: 0 });
  one.destroy();
  await until("it is counted out", () => limiter.connections === 0 && node.connections === 0);
  await Promise.all(Array.from({ length: PLACES * 2 }, silent));
  assert.equal(await ask(), "served");
  assert.deepEqual([...new Set(closed)], ["front"]);
});

test("one whose handshake is over counts once, and a drain closes silent ones", async (context) => {
  if (!hasComponent(context, "openssl")) return;
  const { node, limiter, silent, ask } = await serve(context);
  assert.equal(await ask(), "served");
  await until("it is counted out", () => limiter.connections === 0);
  assert.equal(limiter.accepted, 1);
  const socket = await silent();
  socket.resume();
  await until("it is counted", () => limiter.connections === 1);
  const ended = once(socket, "close");
  await node.drain(50);
  await ended;
  assert.equal(limiter.connections, 0);
});
