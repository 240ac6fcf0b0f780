/** Responses over HTTP/2 as node's client, curl and nghttp read them: whole ones, and none that breaks off is taken for complete. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import type { Handler } from "../../../src/gateway/types.ts";
import { fromFetch } from "../../../src/interop/fetch.ts";
import { hasComponent } from "../../support/component.ts";
import { ask, type Http2Engine, startHttp2Engine } from "../../support/http2-engine.ts";
import { gatewayApp, KINDS } from "./response-kinds.ts";

interface Reading {
  readonly status: number;
  readonly body: string;
}

type Reader = (engine: Http2Engine, path: string) => Promise<Reading | undefined>;

const byNode: Reader = async (engine, path) => {
  const session = await engine.session();
  const { status, text, code } = await ask(session, { ":path": path });
  session.destroy();
  return code === 0 ? { status, body: text } : undefined;
};

const byCurl: Reader = ({ port }, path) =>
  new Promise((resolve) => {
    const words = ["-s", "--http2-prior-knowledge", "-w", "%{stderr}%{http_code}"];
    execFile("curl", [...words, `http://127.0.0.1:${port}${path}`], (error, body, status) => {
      resolve(error === null ? { status: Number(status), body } : undefined);
    });
  });

/** Its exit code says nothing. */
const byNghttp: Reader = ({ port }, path) =>
  new Promise((resolve, reject) => {
    execFile("nghttp", ["-nv", "--no-dep", `http://127.0.0.1:${port}${path}`], (error, log) => {
      if (error !== null) return reject(error);
      const status = Number(/:status: ([2-5]\d\d)/.exec(log)?.[1]);
      const isWhole = /recv (?:DATA|HEADERS) frame <[^>]*>\s*;[^\n]*END_STREAM/.test(log);
      resolve(isWhole ? { status, body: "" } : undefined);
    });
  });

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("part");
  // Before the head has been sent it would be a 500.
  await new Promise((resolve) => setTimeout(resolve, 50));
  throw new Error("the source breaks off");
}

/** The kinds of a fetch app that break off, by path. */
const FETCH: Readonly<Record<string, () => Response>> = {
  "/fetch/breaks-off": () => new Response(ReadableStream.from(broken()) as ReadableStream),
  "/fetch/sized": () =>
    new Response(ReadableStream.from(broken()) as ReadableStream, { headers: { "content-length": "100" } }),
};

const fetchApp = fromFetch((request) => (FETCH[new URL(request.url).pathname] as () => Response)());

const app: Handler = (request, respond) =>
  request.path.startsWith("/fetch/") ? fetchApp(request, respond) : gatewayApp(request, respond);

for (const [name, read] of Object.entries({ "node's client": byNode, curl: byCurl, nghttp: byNghttp })) {
  test(`responses over HTTP/2 as ${name} reads them`, async (context) => {
    if (name !== "node's client" && !hasComponent(context, name)) return;
    const engine = await startHttp2Engine(context, app);
    for (const [kind, { status, body }] of Object.entries(KINDS)) {
      const reading = await read(engine, `/${kind}`);
      if (body === undefined) assert.equal(reading, undefined, kind);
      else assert.deepEqual(reading, { status, body: name === "nghttp" ? "" : body }, kind);
    }
    for (const path of Object.keys(FETCH)) assert.equal(await read(engine, path), undefined, path);
  });
}
