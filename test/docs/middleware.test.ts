/** The middleware of docs/middleware.md, as it stands there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import type { App, Handler, Middleware } from "../../src/gateway/types.ts";
import { type InjectOptions, inject } from "../../src/interop/testing.ts";
import { temporaryFolder } from "../support/command.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const TEXT = readFileSync(join(ROOT, "docs", "middleware.md"), "utf8");
const BLOCKS = [...TEXT.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1] as string);
const GATEWAY = join(ROOT, "src", "gateway", "index.ts");

interface Documented {
  readonly cors: (origin: string) => Middleware;
  readonly session: (secret: string) => Middleware;
  readonly etag: Middleware;
  readonly gzip: Middleware;
  readonly log: Middleware;
  readonly app: App;
  readonly dressed: App;
}

const NAMES = ["cors", "session", "etag", "gzip", "log"] as const;
let documented: Documented;

before(async (context) => {
  const folder = temporaryFolder(context as never);
  const file = join(folder, "middleware.ts");
  const code = BLOCKS.join("\n").replaceAll('"tsgun/gateway"', JSON.stringify(pathToFileURL(GATEWAY).href));
  writeFileSync(file, `${code}\nexport { ${NAMES.join(", ")} };\n`);
  documented = (await import(pathToFileURL(file).href)) as Documented;
});

/** Handlers for each way to respond, through the middleware. */
const WAYS: { readonly [way: string]: Handler } = {
  whole: (_request, respond) => respond(200, { "content-type": "text/plain" }, "Hello, world"),
  pieces: async (_request, respond) => {
    const writer = respond(200, { "content-type": "text/plain" });
    await writer.write("Hello, ");
    await writer.end("world");
  },
  iterable: (_request, respond) => respond(200, { "content-type": "text/plain" }, ["Hello, ", "world"]),
  file: (_request, respond) =>
    respond(200, { "content-type": "text/plain" }, { file: join(ROOT, "LICENSE"), length: 12 }),
};

async function through(middleware: Middleware, handler: Handler, options: InjectOptions = {}) {
  const answer = await inject(middleware(handler), options);
  assert.deepEqual(answer.errors, []);
  return answer;
}

describe("the documented middleware", () => {
  test("each has at most 15 lines, and all of it checks as TypeScript", (context) => {
    for (const block of BLOCKS.slice(1, 6)) assert.ok(block.trimEnd().split("\n").length <= 15, block);
    const folder = temporaryFolder(context);
    writeFileSync(join(folder, "middleware.ts"), BLOCKS.join("\n"));
    const compilerOptions = {
      ...{ module: "nodenext", target: "es2023", strict: true, noEmit: true, skipLibCheck: true },
      ...{
        allowImportingTsExtensions: true,
        types: ["node"],
        typeRoots: [join(ROOT, "node_modules/@types")],
      },
      paths: { "tsgun/gateway": [GATEWAY] },
    };
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["middleware.ts"] }),
    );
    const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
    assert.deepEqual([stdout, status], ["", 0]);
  });

  for (const [way, handler] of Object.entries(WAYS)) {
    const expected =
      way === "file" ? readFileSync(join(ROOT, "LICENSE")).subarray(0, 12).toString() : "Hello, world";
    test(`gzip: ${way}`, async () => {
      const headers = { "accept-encoding": "br, gzip" };
      const answer = await through(documented.gzip, handler, { headers });
      assert.equal(answer.headers["content-encoding"], "gzip");
      assert.equal(answer.headers.vary, "accept-encoding");
      assert.equal(gunzipSync(answer.body).toString(), expected);
      const plain = await through(documented.gzip, handler, { headers: { "accept-encoding": "gzip;q=0" } });
      assert.deepEqual([plain.text(), plain.headers["content-encoding"]], [expected, undefined]);
    });
    test(`CORS: ${way}`, async () => {
      const headers = { origin: "https://a.example" };
      const answer = await through(documented.cors("https://a.example"), handler, { headers });
      assert.equal(answer.headers["access-control-allow-origin"], "https://a.example");
      assert.equal(answer.headers.vary, "origin");
      assert.equal(answer.text(), expected);
    });
  }

  test("CORS: a preflight, and another origin", async () => {
    const cors = documented.cors("https://a.example");
    const headers = { origin: "https://a.example", "access-control-request-method": "POST" };
    const preflight = await through(cors, WAYS.whole as Handler, { method: "OPTIONS", headers });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers["access-control-allow-origin"], "https://a.example");
    const other = await through(cors, WAYS.whole as Handler, { headers: { origin: "https://b.example" } });
    assert.equal(other.headers["access-control-allow-origin"], undefined);
  });

  test("ETag: sent with the content, and 304 for a client that has it", async () => {
    const first = await through(documented.etag, WAYS.whole as Handler);
    const { etag } = first.headers;
    assert.match(etag ?? "", /^"[\w-]{22}"$/);
    const again = await through(documented.etag, WAYS.whole as Handler, {
      headers: { "if-none-match": etag },
    });
    assert.deepEqual([again.status, again.text(), again.headers.etag], [304, "", etag]);
    const streamed = await through(documented.etag, WAYS.pieces as Handler);
    assert.deepEqual([streamed.text(), streamed.headers.etag], ["Hello, world", undefined]);
  });

  test("a signed cookie: kept, renewed when it changes, and refused when forged", async () => {
    const counting: Handler<{ session: { visits?: number } }> = (request, respond) => {
      const { session } = request.state;
      session.visits = (session.visits ?? 0) + 1;
      respond(200, null, String(session.visits));
    };
    const session = documented.session("secret");
    const visit = (cookie?: string) =>
      through(session, counting as Handler, cookie === undefined ? {} : { headers: { cookie } });
    const cookieOf = (answer: Awaited<ReturnType<typeof visit>>): string =>
      answer.values("set-cookie")[0]?.split(";")[0] as string;
    const first = await visit();
    const second = await visit(`a=b; ${cookieOf(first)}`);
    assert.deepEqual([first.text(), second.text()], ["1", "2"]);
    const forged = cookieOf(second).replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    assert.equal((await visit(forged)).text(), "1");
  });

  test("a line for each request, with its status and bytes, or its failure", async (context) => {
    const lines: string[] = [];
    context.mock.method(console, "log", (...words: unknown[]) => lines.push(words.join(" ")));
    await through(documented.log, WAYS.pieces as Handler, { path: "/a" });
    const failing: Handler = () => {
      throw new Error("on purpose");
    };
    await inject(documented.log(failing), { path: "/b" });
    assert.match(lines[0] ?? "", /^GET \/a 200 12 [\d.]+ ms$/);
    assert.match(lines[1] ?? "", /^GET \/b failed: on purpose [\d.]+ ms$/);
  });

  test("together: the right app answers, and its answers are changed", async () => {
    const headers = { "accept-encoding": "gzip", origin: "https://shop.example" };
    const api = await inject(documented.app, { path: "/api/orders", headers });
    assert.equal(gunzipSync(api.body).toString(), '{"path":"/orders"}');
    assert.equal(api.headers.vary, "origin, accept-encoding");
    const page = await inject(documented.app, { path: "/apis" });
    assert.equal(page.text(), "<p>Hello</p>");
    assert.ok(page.headers.etag);
  });

  test("the server's own answers are dressed", async () => {
    const failing: App = {
      ...documented.dressed,
      handle: () => {
        throw new Error("on purpose");
      },
    };
    const answer = await inject(failing, {});
    assert.deepEqual([answer.status, answer.json()], [500, { status: 500 }]);
    assert.equal(answer.headers["content-type"], "application/problem+json");
  });
});
