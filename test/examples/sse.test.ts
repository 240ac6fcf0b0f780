/** Server-sent events behind nginx: they come at once, and across a reload none is missing and none comes twice. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { differences, rawRequest } from "../support/differences.ts";
import { exampleOf, serveByNode, serveExample } from "../support/example.ts";
import { fieldOf, rawAnswer, rawClient } from "../support/raw-answer.ts";

/** Listens as a browser does: comes back when the answer ends, with the number it heard last. */
async function listen(
  test: TestContext,
  port: number,
  heard: number[],
  enough: () => boolean,
): Promise<number> {
  for (let connections = 1; ; connections += 1) {
    const client = await rawClient(test, port);
    const last = heard.at(-1);
    const known = last === undefined ? "" : `Last-Event-ID: ${last}\r\n`;
    client.send(`GET /events HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${known}\r\n`);
    const before = heard.length;
    const take = (): void => {
      const numbers = [...client.received.matchAll(/^id: (\d+)\ndata: 20\S+Z\n\n/gm)].map(([, id]) =>
        Number(id),
      );
      heard.splice(before, heard.length, ...numbers);
    };
    client.socket.on("data", take);
    await until("the answer ends, or enough has been heard", () => client.ended || enough());
    take();
    if (enough()) {
      client.socket.destroy();
      return connections;
    }
    assert.equal(fieldOf(rawAnswer(client.received), "content-type"), "text/event-stream; charset=utf-8");
  }
}

test("events behind nginx", async (t) => {
  if (!hasComponent(t, "nginx")) return;
  const example = exampleOf("sse");
  const { server, nginx, url, socket } = await serveExample(t, example);

  await t.test("serves the page", async () => {
    assert.match(await (await fetch(url)).text(), /new EventSource/);
  });

  await t.test("clients get every event once, though a reload ends their responses", async (t) => {
    const old = server.workers();
    let reloaded: number | undefined;
    const listeners = Array.from({ length: 6 }, async () => {
      const heard: number[] = [];
      const enough = (): boolean => reloaded !== undefined && (heard.at(-1) ?? 0) > reloaded + 2;
      const connections = await listen(t, nginx.port, heard, enough);
      return { heard, connections };
    });
    await until("the listeners are there", async () => (await fetch(url)).ok);
    server.kill("SIGHUP");
    await server.ready(2);
    await until("the old workers are gone", () => !server.workers().some((pid) => old.includes(pid)));
    reloaded = Math.floor(Date.now() / 250);
    for (const { heard, connections } of await Promise.all(listeners)) {
      const [first = 0] = heard;
      assert.deepEqual(
        heard,
        Array.from(heard, (_, index) => first + index),
      );
      assert.ok(connections > 1, "its answer was not ended");
    }
  });

  await t.test("tsgun responds like plain Node", async (t) => {
    const plain = await serveByNode(t, example);
    const found = [
      ...(await differences(t, rawRequest("serves the page", "GET", "/"), socket, plain)),
      ...(await differences(t, rawRequest("nothing", "GET", "/nowhere"), socket, plain)),
    ];
    assert.equal(found.length, 0, `\n${found.join("\n")}`);
    const heads = await Promise.all(
      [socket, plain].map(async (each) => {
        const client = await rawClient(t, each);
        client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
        const received = await client.until((text) => text.includes("\ndata: "), "an event");
        client.socket.destroy();
        const head = received.slice(0, received.indexOf("\r\n\r\n")).split("\r\n");
        return head.filter((line) => !/^(?:date|connection|keep-alive):/i.test(line));
      }),
    );
    assert.deepEqual(heads[0], heads[1]);
  });
  assert.deepEqual(await server.end(), { code: 0, signal: null });
  assert.deepEqual(server.lines(/\[(?:warning|error|critical)\]/i), []);
});
