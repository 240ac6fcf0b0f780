/** The chat behind nginx, through a reload, and beside itself under plain node. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { type Difference, differences, type RawRequest, rawRequest } from "../support/differences.ts";
import { exampleOf, serveByNode, serveExample } from "../support/example.ts";

const UPGRADE = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

/** A frame to close with (RFC 6455, 5.5.1), masked with zeros. */
const CLOSE = Buffer.from([0x88, 0x80, 0, 0, 0, 0]);

test("the chat behind nginx", async (t) => {
  if (!hasComponent(t, "nginx")) return;
  const example = exampleOf("websocket", "app.ts:server");
  const { server, nginx, url, socket } = await serveExample(t, example);
  const open = async (name: string): Promise<{ socket: WebSocket; heard: string[] }> => {
    const socket = new WebSocket(`ws://127.0.0.1:${nginx.port}/chat?name=${name}`);
    const heard: string[] = [];
    t.after(() => socket.terminate());
    socket.on("message", (data, isBinary) => isBinary || heard.push(String(data)));
    await until(`${name} is greeted`, () => heard[0] === `Hello, ${name}!`);
    return { socket, heard };
  };

  await t.test("echoes binary messages, broadcasts text, answers a ping", async () => {
    const guests = await Promise.all(Array.from({ length: 12 }, (_, index) => open(`guest-${index}`)));
    for (const { socket } of guests) socket.send("Grüße");
    await until("everybody hears what they said, and some what others said", () =>
      guests.every(({ heard }, index) => heard.includes(`guest-${index}: Grüße`)),
    );
    const [first] = guests;
    assert.ok(first !== undefined);
    const picture = Buffer.alloc(1_000_000, "0123456789abcdef!");
    const echo = once(first.socket, "message");
    first.socket.send(picture);
    assert.ok(picture.equals((await echo)[0] as Buffer));
    const pong = once(first.socket, "pong");
    first.socket.ping("abc");
    assert.equal(String((await pong)[0]), "abc");
    for (const { socket } of guests) socket.close(1000);
    await until("all are gone", () => guests.every(({ socket }) => socket.readyState === WebSocket.CLOSED));
  });

  await t.test("serves the page and 404s", async () => {
    assert.match(await (await fetch(url)).text(), /new WebSocket/);
    assert.equal((await fetch(`${url}/chat`)).status, 404);
  });

  await t.test("a reload closes the sockets cleanly, and clients can reconnect", async () => {
    const old = server.workers();
    const guests = await Promise.all(Array.from({ length: 12 }, (_, index) => open(`guest-${index}`)));
    const closed = guests.map(({ socket }) => once(socket, "close"));
    server.kill("SIGHUP");
    for (const [code, reason] of await Promise.all(closed)) {
      assert.deepEqual([code, String(reason)], [1012, "restarting"]);
    }
    await server.ready(2);
    await until("the old workers are gone", () => !server.workers().some((pid) => old.includes(pid)));
    const { socket, heard } = await open("back");
    socket.send("again");
    await until("it is heard", () => heard.includes("back: again"));
    socket.close();
  });

  await t.test("tsgun responds like plain Node, handshakes and frames included", async (t) => {
    const plain = await serveByNode(t, example);
    const found: string[] = [];
    const compare = async (request: RawRequest, mayDiffer?: readonly Difference[]): Promise<void> => {
      found.push(...(await differences(t, request, socket, plain, mayDiffer)));
    };
    await compare(rawRequest("the page", "GET", "/"));
    await compare(rawRequest("nothing", "GET", "/nowhere"));
    const hello = rawRequest("a handshake", "GET", "/chat?name=Ada", UPGRADE);
    await compare({ ...hello, bytes: Buffer.concat([hello.bytes, CLOSE]) });
    await compare(rawRequest("a handshake elsewhere", "GET", "/nowhere", UPGRADE));
    await compare(
      rawRequest("a handshake of another version", "GET", "/chat", {
        ...UPGRADE,
        "Sec-WebSocket-Version": "99",
      }),
    );
    await compare(
      rawRequest("a handshake without a key", "GET", "/chat", { ...UPGRADE, "Sec-WebSocket-Key": "" }),
    );
    await compare(rawRequest("another upgrade", "GET", "/chat", { ...UPGRADE, Upgrade: "h2c" }));
    assert.equal(found.length, 0, `\n${found.join("\n")}`);
  });
  assert.deepEqual(await server.end(), { code: 0, signal: null });
  assert.deepEqual(server.lines(/\[(?:warning|error|critical)\]/i), []);
});
