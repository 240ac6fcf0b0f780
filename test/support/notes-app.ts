/**
 * The features that every example web application has in its own framework: pages, JSON, forms, uploads,
 * streams, errors, redirects, cookies, compression. Asked through nginx; then a reload in the middle of everything;
 * then the same requests to tsgun and to plain node, whose answers must be the same.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test as declare, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { until } from "./command.ts";
import { hasComponent } from "./component.ts";
import { type Difference, differences, type RawRequest, rawRequest } from "./differences.ts";
import { type Example, type Site, serveByNode, serveExample } from "./example.ts";
import { Load } from "./load.ts";
import { fieldOf, rawAnswer, rawClient } from "./raw-answer.ts";

export interface NotesApp {
  readonly name: string;
  /** Finds or installs the example; undefined if that is impossible here, which the test reports. */
  readonly example: (test: TestContext) => Example | undefined | Promise<Example | undefined>;
  /** Fields that may differ from plain node's, beside those that always may. Each is given with its reason. */
  readonly mayDiffer?: readonly Difference[];
}

export function testNotesApp(app: NotesApp): void {
  declare(`${app.name} behind nginx`, async (t) => {
    if (!hasComponent(t, "nginx")) return;
    const example = await app.example(t);
    if (example === undefined) return;
    const site = await serveExample(t, example);
    await t.test("pages, JSON, cookies, redirects", () => answersPages(site));
    await t.test("errors", () => answersErrors(site));
    await t.test("compression", (t) => compresses(t, site));
    await t.test("uploads of 50 MB, as a form's file and as such", () => takesUploads(site));
    await t.test("a stream comes as it is made", (t) => streams(t, site));
    await t.test("a reload in the middle of requests loses none", (t) => reloads(t, site));
    await t.test("what plain node answers is what tsgun answers", async (t) => {
      const plain = await serveByNode(t, example);
      const found: string[] = [];
      for (const request of REQUESTS)
        found.push(...(await differences(t, request, site.socket, plain, app.mayDiffer)));
      assert.equal(found.length, 0, `\n${found.join("\n")}`);
    });
    assert.deepEqual(await site.server.end(), { code: 0, signal: null });
    const complaints = site.server.lines(/\[(?:warning|error|critical)\]/i);
    assert.deepEqual(complaints, []);
  });
}

async function answersPages({ url }: Site): Promise<void> {
  const page = await fetch(url, { headers: { cookie: "theme=dark; name=Ada" } });
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html; ?charset=utf-8$/i);
  assert.match(await page.text(), /<h1>Hello, Ada!<\/h1>/);

  const notes = await fetch(`${url}/notes?limit=2`);
  assert.match(notes.headers.get("content-type") ?? "", /^application\/json\b/);
  assert.deepEqual(await notes.json(), [
    { id: 1, text: "Buy milk" },
    { id: 2, text: "Call Ada" },
  ]);
  const text = "Grüße, 世界";
  const made = await fetch(`${url}/notes`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text }),
  });
  assert.equal(made.status, 201);
  assert.deepEqual(await made.json(), { id: 4, text });

  const login = await fetch(`${url}/login`, {
    method: "POST",
    body: new URLSearchParams({ name: "Ada" }),
    redirect: "manual",
  });
  assert.equal(login.status, 303);
  assert.match(login.headers.get("location") ?? "", /^(?:http:\/\/127\.0\.0\.1(?::\d+)?)?\/$/);
  const cookies = login.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
  assert.deepEqual(cookies, ["name=Ada", "theme=dark"]);
  await login.body?.cancel();

  const old = await fetch(`${url}/old`, { redirect: "manual" });
  assert.deepEqual([old.status, old.headers.get("location")], [301, "/"]);
  await old.body?.cancel();
}

async function answersErrors({ url }: Site): Promise<void> {
  const failed = await fetch(`${url}/fail`);
  assert.equal(failed.status, 500);
  await failed.body?.cancel();
  const missing = await fetch(`${url}/nowhere`);
  assert.equal(missing.status, 404);
  assert.notEqual(await missing.text(), "");
}

async function compresses(test: TestContext, { url, nginx }: Site): Promise<void> {
  const report = "All is well.\n".repeat(2000);
  const head = "GET /report HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";
  for (const [accepts, encoding] of [
    ["Accept-Encoding: gzip\r\n", "gzip"],
    ["", undefined],
  ] as const) {
    const client = await rawClient(test, nginx.port);
    client.send(`${head}${accepts}\r\n`);
    const answer = rawAnswer(await client.rest());
    assert.equal(fieldOf(answer, "content-encoding"), encoding);
    assert.equal((encoding === "gzip" ? gunzipSync(answer.content) : answer.content).toString(), report);
    if (encoding === "gzip") assert.ok(answer.content.length < report.length / 10);
  }
  assert.equal(await (await fetch(`${url}/report`)).text(), report);
}

const FILE = Buffer.alloc(50_000_000, "0123456789abcdef!");
const SHA256 = createHash("sha256").update(FILE).digest("hex");

async function takesUploads({ url }: Site): Promise<void> {
  for (const prefix of ["", "/unbuffered"]) {
    const form = new FormData();
    form.set("title", "Holidays");
    form.set("file", new Blob([FILE]), "beach.raw");
    const uploaded = await fetch(`${url}${prefix}/upload`, { method: "POST", body: form });
    const result = await uploaded.json();
    assert.deepEqual(result, { title: "Holidays", name: "beach.raw", size: FILE.length, sha256: SHA256 });

    const stored = await fetch(`${url}${prefix}/files/beach.raw`, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body: FILE,
    });
    assert.deepEqual(await stored.json(), { name: "beach.raw", size: FILE.length, sha256: SHA256 });
  }
}

async function streams(test: TestContext, { nginx, url }: Site): Promise<void> {
  const client = await rawClient(test, nginx.port);
  client.send(streamRequest(5, 200));
  await client.until((received) => received.includes("1\n"), "the first piece");
  assert.doesNotMatch(client.received, /\n5\n/);
  assert.equal(rawAnswer(await client.rest()).content.toString(), "1\n2\n3\n4\n5\n");

  const long = await (await fetch(`${url}/numbers?to=20000`)).text();
  const hash = createHash("sha256");
  for (let number = 1; number <= 20_000; number += 1) hash.update(`${number}\n`);
  assert.equal(createHash("sha256").update(long).digest("hex"), hash.digest("hex"));
}

async function reloads(test: TestContext, { server, nginx }: Site): Promise<void> {
  const old = server.workers();
  const load = new Load({ port: nginx.port }, { mode: "keep-alive", make: exchange, clients: 8 });
  const stream = await rawClient(test, nginx.port);
  const upload = await rawClient(test, nginx.port);
  const half = FILE.length / 2;
  stream.send(streamRequest(20, 100));
  upload.send(
    "PUT /unbuffered/files/half HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
      `Content-Type: application/octet-stream\r\nContent-Length: ${FILE.length}\r\n\r\n`,
  );
  upload.send(FILE.subarray(0, half));
  await stream.until((received) => received.includes("1\n"), "the first piece");
  await load.more(50);
  server.kill("SIGHUP");
  // The last new worker starts only after an old one has ended, which must first finish its request.
  await until("a worker of the new generation is there", () =>
    server.workers().some((pid) => !old.includes(pid)),
  );
  await load.more(50);
  upload.send(FILE.subarray(half));
  const numbers = Array.from({ length: 20 }, (_, index) => `${index + 1}\n`).join("");
  assert.equal(rawAnswer(await stream.rest()).content.toString(), numbers);
  const stored = JSON.parse(rawAnswer(await upload.rest()).content.toString());
  assert.deepEqual(stored, { name: "half", size: FILE.length, sha256: SHA256 });
  await server.ready(2);
  await until("the old workers are gone", () => !server.workers().some((pid) => old.includes(pid)));
  await load.more(50);
  await load.stop();
  load.assertNothingLost(100);
}

/** Requests of the load: a page, a form, and an upload, in turn. */
function exchange(number: number): ReturnType<ConstructorParameters<typeof Load>[1]["make"]> {
  const [method, path, type, content, status, expected] = [
    ["GET", `/notes?limit=1&n=${number}`, "", "", 200, '[{"id":1,"text":"Buy milk"}]'],
    ["POST", "/login", "application/x-www-form-urlencoded", "name=Ada", 303, undefined],
    ["PUT", `/files/${number}`, "application/octet-stream", "x".repeat(number % 5000), 200, undefined],
  ][number % 3] as [string, string, string, string, number, string | undefined];
  const fields = type === "" ? "" : `Content-Type: ${type}\r\nContent-Length: ${content.length}\r\n`;
  const bytes = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: h\r\n${fields}\r\n${content}`);
  return {
    label: `${method} ${path}`,
    method,
    parts: [bytes],
    check: (answer) => {
      const body = answer.body.toString();
      if (answer.status !== status) return `status ${answer.status}: ${body.slice(0, 200)}`;
      if (expected !== undefined && body !== expected) return `it says ${body}`;
      if (method !== "PUT") return undefined;
      const { size } = JSON.parse(body) as { size: number };
      return size === content.length ? undefined : `${size} bytes arrived of ${content.length}`;
    },
  };
}

function streamRequest(to: number, pause: number): string {
  return `GET /unbuffered/numbers?to=${to}&pause=${pause} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`;
}

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const JSON_TYPE = { "Content-Type": "application/json" };
const MULTIPART = [
  '--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nA title\r\n',
  '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nabc\r\n',
  "--x--\r\n",
].join("");

/** The requests to both tsgun and plain node. */
const REQUESTS: readonly RawRequest[] = [
  rawRequest("a page", "GET", "/"),
  rawRequest("a page for a known user", "GET", "/", { Cookie: "theme=dark; name=Ada" }),
  rawRequest("cookies in several fields", "GET", "/", [
    ["Cookie", "theme=dark"],
    ["Cookie", "name=Ada"],
  ]),
  rawRequest("the head of a page", "HEAD", "/"),
  rawRequest("a page that is known already", "GET", "/", { "If-None-Match": "*" }),
  rawRequest("JSON", "GET", "/notes?limit=2"),
  rawRequest("a query that is wrong", "GET", "/notes?limit=none"),
  rawRequest("a query twice", "GET", "/notes?limit=1&limit=2"),
  rawRequest("a note", "POST", "/notes", JSON_TYPE, '{"text":"Grüße"}'),
  rawRequest("JSON that is broken", "POST", "/notes", JSON_TYPE, '{"text":'),
  rawRequest(
    "JSON in chunks",
    "POST",
    "/notes",
    { ...JSON_TYPE, "Transfer-Encoding": "chunked" },
    '{"text":"x"}',
  ),
  rawRequest(
    "JSON with its permission asked",
    "POST",
    "/notes",
    { ...JSON_TYPE, Expect: "100-continue" },
    "{}",
  ),
  rawRequest("content of an unknown type", "POST", "/notes", { "Content-Type": "a/b" }, "abc"),
  rawRequest("no content", "POST", "/notes"),
  rawRequest("a form", "POST", "/login", FORM, "name=Ada"),
  rawRequest("a form with a strange name", "POST", "/login", FORM, "name=%C3%84da+%26%3B"),
  rawRequest("a redirect", "GET", "/old"),
  rawRequest("the head of a redirect", "HEAD", "/old"),
  rawRequest(
    "an upload",
    "POST",
    "/upload",
    { "Content-Type": "multipart/form-data; boundary=x" },
    MULTIPART,
  ),
  rawRequest(
    "an upload cut off",
    "POST",
    "/upload",
    { "Content-Type": "multipart/form-data; boundary=x" },
    "--x",
  ),
  rawRequest("a file", "PUT", "/files/a%20b", { "Content-Type": "application/octet-stream" }, "abc"),
  rawRequest("a stream", "GET", "/numbers?to=1000"),
  rawRequest("the head of a stream", "HEAD", "/numbers?to=3"),
  rawRequest("a stream for HTTP/1.0", "GET", "/numbers?to=3", {}, undefined, "1.0"),
  rawRequest("text to compress", "GET", "/report", { "Accept-Encoding": "gzip, deflate, br" }),
  rawRequest("text for brotli", "GET", "/report", { "Accept-Encoding": "br" }),
  rawRequest("text not to compress", "GET", "/report", { "Accept-Encoding": "identity" }),
  rawRequest("the head of compressed text", "HEAD", "/report", { "Accept-Encoding": "gzip" }),
  rawRequest("a failure", "GET", "/fail"),
  rawRequest("the head of a failure", "HEAD", "/fail"),
  rawRequest("nothing", "GET", "/nowhere"),
  rawRequest("nothing, at a strange place", "GET", "//a/../b/%2e%2e/c?d=e?f#g".replace("#g", "")),
  rawRequest("a path that is no UTF-8", "GET", "/files/%ff%fe"),
  rawRequest("a path that is no percent-encoding", "GET", "/files/%zz"),
  rawRequest("a method that no route has", "DELETE", "/notes"),
  rawRequest("a method of WebDAV", "PROPFIND", "/notes"),
  rawRequest("the options", "OPTIONS", "/notes"),
  rawRequest("an upgrade that no server accepts", "GET", "/", {
    Connection: "close, Upgrade",
    Upgrade: "h2c",
  }),
  rawRequest("a page for HTTP/1.0", "GET", "/", {}, undefined, "1.0"),
  rawRequest("fields that come twice", "GET", "/", [
    ["X-A", "1"],
    ["X-A", "2"],
    ["Accept", "text/html"],
    ["Accept", "text/plain"],
  ]),
];
