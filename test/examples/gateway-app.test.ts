/** The gateway app behind nginx, through a reload, and beside itself on node's own server. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { until } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { differences, rawRequest } from "../support/differences.ts";
import { exampleOf, serveByNode, serveExample } from "../support/example.ts";
import { Load } from "../support/load.ts";
import { rawAnswer, rawClient } from "../support/raw-answer.ts";

const CONTENT = Buffer.alloc(50_000_000, "0123456789abcdef!");

const REQUESTS = [
  rawRequest("the style sheet", "GET", "/style.css"),
  rawRequest("the head of the style sheet", "HEAD", "/style.css"),
  rawRequest("the mirror", "POST", "/mirror", {}, "abc"),
  rawRequest("the mirror in chunks", "POST", "/mirror", { "Transfer-Encoding": "chunked" }, "abc"),
  rawRequest("the mirror with its permission asked", "POST", "/mirror", { Expect: "100-continue" }, "abc"),
  rawRequest("an upload", "POST", "/digest", {}, "abc"),
  rawRequest("nothing", "GET", "/nowhere"),
  rawRequest("what may not be done", "DELETE", "/"),
];

test("the gateway app behind nginx", async (t) => {
  if (!hasComponent(t, "nginx")) return;
  const example = exampleOf("gateway-app");
  const { server, nginx, url, socket, port } = await serveExample(t, example);

  await t.test("serves pages, a file and errors", async () => {
    assert.match(await (await fetch(url)).text(), /Visit 1 of worker [12], up since 20/);
    const style = await fetch(`${url}/style.css`);
    assert.equal(style.headers.get("content-type"), "text/css; charset=utf-8");
    assert.match(await style.text(), /font/);
    assert.equal((await fetch(`${url}/nowhere`)).status, 404);
    assert.equal((await fetch(url, { method: "DELETE" })).status, 405);
  });

  await t.test("uploads 50 MB, and streams it there and back", async () => {
    const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
    for (const path of ["/digest", "/unbuffered/digest"]) {
      const answer = await fetch(url + path, { method: "POST", body: CONTENT });
      assert.equal(await answer.text(), `${digest(CONTENT)}\n`);
    }
    // nginx takes no more of an upload once the answer has begun.
    const mirrored = await fetch(`http://127.0.0.1:${port}/mirror`, { method: "POST", body: CONTENT });
    assert.equal(digest(Buffer.from(await mirrored.arrayBuffer())), digest(CONTENT));
  });

  await t.test("a reload ends the event streams cleanly and loses no request", async (t) => {
    const old = server.workers();
    const load = new Load({ port: nginx.port }, { mode: "keep-alive", make: styleSheet, clients: 8 });
    const events = await rawClient(t, nginx.port);
    events.send("GET /unbuffered/ticks HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    await events.until((received) => received.includes("data: 1\n\n"), "the first event");
    await load.more(50);
    server.kill("SIGHUP");
    assert.match(rawAnswer(await events.rest()).content.toString(), /^(?:data: \d+\n\n)+$/);
    await server.ready(2);
    await until("the old workers are gone", () => !server.workers().some((pid) => old.includes(pid)));
    await load.more(50);
    await load.stop();
    load.assertNothingLost(100);
  });

  await t.test("responds the same on Node's own server", async (t) => {
    const plain = await serveByNode(t, example);
    const found: string[] = [];
    // Each server frames a response in its own way: the content is compared.
    const framing = [{ field: "content-length" }, { field: "transfer-encoding" }];
    for (const request of REQUESTS) found.push(...(await differences(t, request, socket, plain, framing)));
    assert.equal(found.length, 0, `\n${found.join("\n")}`);
  });
  assert.deepEqual(await server.end(), { code: 0, signal: null });
});

function styleSheet(): ReturnType<ConstructorParameters<typeof Load>[1]["make"]> {
  return {
    label: "GET /style.css",
    method: "GET",
    parts: [Buffer.from("GET /style.css HTTP/1.1\r\nHost: h\r\n\r\n")],
    check: ({ status, body }) =>
      status === 200 && body.includes("font") ? undefined : `status ${status}: ${body.toString()}`,
  };
}
