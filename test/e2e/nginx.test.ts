/** The built command behind a real nginx, over a Unix socket with kept connections, as in production. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { headerOf, type ReceivedAnswer } from "../support/answer-reader.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder } from "../support/command.ts";
import { hasComponent } from "../support/component.ts";
import { RawClient } from "../support/engine.ts";
import { echoed } from "../support/exchanges.ts";
import { Load } from "../support/load.ts";
import { LoadConnection } from "../support/load-connection.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const ECHO = join(ROOT, "examples", "echo", "app.ts:handler");
const STREAMS = join(FIXTURES, "nginx", "streams.mjs:handler");

interface Proxied {
  readonly nginx: Nginx;
  readonly server: RunningCommand;
}

/** nginx in front of `app`, without retries, so that every failure is seen. */
async function serve(context: TestContext, app: string, args: readonly string[] = []): Promise<Proxied> {
  const folder = temporaryFolder(context);
  const path = join(folder, "app.sock");
  const server = startCommand(context, [app, "--bind", `unix:${path}`, ...args]);
  await server.ready();
  const nginx = await startNginx(context, folder, {
    upstream: `server unix:${path}; keepalive 32;`,
    server: `
      client_max_body_size 20m;
      client_body_buffer_size 1m;
      large_client_header_buffers 8 32k;
      proxy_http_version 1.1;
      proxy_next_upstream off;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      location / {
        proxy_pass http://app;
      }
      location /unbuffered/ {
        proxy_pass http://app/;
        proxy_request_buffering off;
        proxy_buffering off;
      }
    `,
  });
  return { nginx, server };
}

/** Sends one request on its own connection. `head` lacks the final empty line. */
async function ask(nginx: Nginx, head: string, ...content: Buffer[]): Promise<ReceivedAnswer> {
  const connection = await LoadConnection.open({ port: nginx.port }, 5000);
  const method = head.slice(0, head.indexOf(" "));
  const parts = [Buffer.from(`${head.replaceAll("\n", "\r\n")}\r\n\r\n`, "latin1"), ...content];
  const outcome = await connection.exchange({ label: head, method, parts, check: () => undefined }, 20_000);
  connection.close();
  if (outcome.kind !== "answered") assert.fail(`${outcome.kind}: ${outcome.why}; nginx: ${nginx.errors()}`);
  return outcome.answer;
}

function body(answer: ReceivedAnswer): string {
  return answer.body.toString("utf8");
}

/** nginx's errors about its upstream. */
function complaints(nginx: Nginx): string[] {
  return nginx
    .errors()
    .split("\n")
    .filter((line) => /upstream|\[(error|crit|alert|emerg)\]/.test(line))
    .filter((line) => !/is buffered to a temporary file/.test(line));
}

test("20,000 requests, with every response checked", async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const { nginx, server } = await serve(context, ECHO, ["--workers", "4"]);
  const load = new Load(
    { port: nginx.port },
    { mode: "keep-alive", make: echoed({ proxy: true }), clients: 32, requests: 20_000 },
  );
  await load.finished();
  load.assertNothingLost(20_000);
  assert.deepEqual(complaints(nginx), []);
  assert.deepEqual(server.lines(/WARNING|ERROR|CRITICAL/), []);
});

test("the fields that nginx adds arrive beside the client's", async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const { nginx } = await serve(context, ECHO);
  const answer = await ask(nginx, "GET /a%20b?c=d HTTP/1.1\nHost: shop.test\nX-Own: 1\nCookie: a=1; b=2");
  const echo = JSON.parse(body(answer)) as { target: string; version: string; headers: [string, string][] };
  assert.equal(echo.target, "/a%20b?c=d");
  assert.equal(echo.version, "1.1");
  assert.deepEqual(
    echo.headers.sort(([a], [b]) => (a < b ? -1 : 1)),
    [
      ["Cookie", "a=1; b=2"],
      ["Host", "shop.test"],
      ["X-Forwarded-For", "127.0.0.1"],
      ["X-Forwarded-Proto", "http"],
      ["X-Own", "1"],
      ["X-Real-IP", "127.0.0.1"],
    ],
  );
});

for (const path of ["/", "/unbuffered/"]) {
  test(`an upload of 5 MB to ${path} arrives whole, sized and in chunks`, async (context) => {
    if (!hasComponent(context, "nginx")) return;
    const { nginx } = await serve(context, ECHO);
    const content = Buffer.alloc(5 * 1024 * 1024, "0123456789abcdef!");
    const sized = await ask(
      nginx,
      `POST ${path} HTTP/1.1\nHost: h\nContent-Length: ${content.length}`,
      content,
    );
    const chunks: Buffer[] = [];
    for (let at = 0; at < content.length; at += 70_000) {
      const piece = content.subarray(at, at + 70_000);
      chunks.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
    }
    const inChunks = Buffer.concat([...chunks, Buffer.from("0\r\n\r\n")]);
    const chunked = await ask(nginx, `POST ${path} HTTP/1.1\nHost: h\nTransfer-Encoding: chunked`, inChunks);
    for (const answer of [sized, chunked]) {
      assert.equal(answer.status, 200, body(answer));
      const echo = JSON.parse(body(answer)) as { body: string };
      assert.ok(content.equals(Buffer.from(echo.body, "base64")), "the content came back changed");
    }
    assert.deepEqual(complaints(nginx), []);
  });
}

test("a stream arrives as it is written", async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const { nginx } = await serve(context, STREAMS);
  const file = join(temporaryFolder(context), "go");
  const socket = connect(nginx.port, "127.0.0.1");
  await once(socket, "connect");
  const client = new RawClient(socket);
  client.send(`GET /events?${encodeURIComponent(file)} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
  const first = await client.until((received) => received.includes("data: first\n\n"), "the first event");
  assert.doesNotMatch(first, /second/);
  writeFileSync(file, "");
  assert.match(await client.rest(), /data: second\n\n\r\n0\r\n\r\n$/);
  assert.deepEqual(complaints(nginx), []);
});

for (const path of ["/numbers", "/unbuffered/numbers"]) {
  test(`a long stream from ${path} is whole`, async (context) => {
    if (!hasComponent(context, "nginx")) return;
    const { nginx } = await serve(context, STREAMS);
    const last = 1_000_000;
    const answer = await ask(nginx, `GET ${path}?${last} HTTP/1.1\nHost: h`);
    const hash = createHash("sha256");
    for (let number = 1; number <= last; number++) hash.update(`${number}\n`);
    assert.equal(headerOf(answer, "transfer-encoding"), "chunked");
    assert.equal(createHash("sha256").update(answer.body).digest("hex"), hash.digest("hex"));
    assert.deepEqual(complaints(nginx), []);
  });
}

test("the response to HEAD is that to GET without content", async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const { nginx } = await serve(context, ECHO);
  const get = await ask(nginx, "GET /x HTTP/1.1\nHost: h");
  const head = await ask(nginx, "HEAD /x HTTP/1.1\nHost: h");
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  assert.equal(headerOf(head, "content-type"), headerOf(get, "content-type"));
  // The echo names the method, which is one letter longer.
  assert.equal(Number(headerOf(head, "content-length")), get.body.length + 1);
});

/** Less than this nginx lets pass, so that it is tsgun that refuses. */
const SMALL_LIMITS = ["--limit-request-line", "4094", "--limit-request-field-size", "8190"];

const REFUSED = [
  { what: "far too much content", status: 413, head: "POST / HTTP/1.1\nHost: h", content: 3_000_000 },
  { what: "a byte too much", status: 413, head: "POST / HTTP/1.1\nHost: h", content: 1024 * 1024 + 1 },
  {
    what: "too much content, passed on as it comes",
    status: 413,
    head: "POST /unbuffered/ HTTP/1.1\nHost: h",
    content: 3_000_000,
  },
  { what: "too long a target", status: 414, head: `GET /${"a".repeat(5000)} HTTP/1.1\nHost: h` },
  { what: "too long a field", status: 431, head: `GET / HTTP/1.1\nHost: h\nX-Long: ${"a".repeat(9000)}` },
  { what: "too many fields", status: 431, head: `GET / HTTP/1.1\nHost: h${"\nX-Many: 1".repeat(110)}` },
];

test("a refused request is always seen as refused by the client", async (context) => {
  if (!hasComponent(context, "nginx")) return;
  const { nginx } = await serve(context, ECHO, [...SMALL_LIMITS, "--limit-request-body", "1MB"]);
  for (const { what, status, head, content } of REFUSED) {
    for (let time = 0; time < 20; time++) {
      const answer =
        content === undefined
          ? await ask(nginx, head)
          : await ask(nginx, `${head}\nContent-Length: ${content}`, Buffer.alloc(content));
      assert.equal(answer.status, status, `${what}: ${body(answer)}; nginx: ${nginx.errors()}`);
      // The words are ours: it is not nginx that refuses.
      assert.doesNotMatch(body(answer), /nginx/, what);
    }
  }
});
