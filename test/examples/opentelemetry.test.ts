/** The OpenTelemetry example through the built command: its spans have the ids and the parents that they should. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { startCommand, temporaryFolder, until } from "../support/command.ts";
import { installedExample } from "../support/installed-example.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const EXAMPLE = { name: "opentelemetry", app: "app.ts:handler", server: "app.ts" };
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly {
    readonly key: string;
    readonly value: { readonly [type: string]: unknown };
  }[];
  readonly events: readonly { readonly name: string }[];
}

interface Export {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

function spansIn(file: string): Span[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines
    .flatMap((line) => (JSON.parse(line) as Export).resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
}

function attribute(span: Span, name: string): unknown {
  return Object.values(span.attributes.find(({ key }) => key === name)?.value ?? {})[0];
}

test("spans of requests: id, parent, status, the app's own inside, and none lost at the end", async (context) => {
  const example = await installedExample(context, EXAMPLE);
  if (example === undefined) return;
  const folder = temporaryFolder(context);
  const [file, log, path] = ["spans.jsonl", "access.log", "app.sock"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const command = startCommand(
    context,
    [
      ...["-b", `unix:${path}`, "--no-control-socket", "--access-logfile", log],
      ...["--access-logformat", "%(id)s %(U)s %(s)s"],
    ],
    { cwd: example.folder, env: { SPANS_FILE: file } },
  );
  await command.ready();
  const url = new URL("http://shop/first?secret");
  const { request } = await import("node:http");
  await new Promise<void>((resolve, reject) => {
    request(
      {
        socketPath: path,
        path: url.pathname + url.search,
        headers: { traceparent: `00-${TRACE}-${PARENT}-01` },
      },
      (answer) => {
        answer.resume().once("end", resolve);
      },
    )
      .once("error", reject)
      .end();
  });
  await Promise.all(["/a", "/b", "/c"].map((target) => ask({ path }, target)));
  assert.equal((await ask({ path }, "/broken")).status, 500);
  assert.equal((await command.end()).code, 0);

  const spans = spansIn(file);
  const servers = spans.filter(({ kind }) => kind === 2);
  const byPath = (target: string): Span => {
    const found = servers.filter((span) => attribute(span, "url.path") === target);
    assert.equal(found.length, 1, `${target}: ${JSON.stringify(spans)}`);
    return found[0] as Span;
  };
  assert.equal(servers.length, 5);
  const logged = new Map(
    readFileSync(log, "utf8")
      .trim()
      .split("\n")
      .map((line) => [line.split(" ")[1], line.split(" ")[0]] as const),
  );
  for (const target of ["/first", "/a", "/b", "/c", "/broken"])
    assert.equal(attribute(byPath(target), "request.id"), logged.get(target), target);
  const first = byPath("/first");
  assert.deepEqual([first.traceId, first.parentSpanId], [TRACE, PARENT]);
  assert.equal(Number(attribute(first, "http.response.status_code")), 200);
  for (const target of ["/first", "/a", "/b", "/c"]) {
    const { traceId, spanId } = byPath(target);
    const inner = spans.filter((span) => span.traceId === traceId && span.name === "look up");
    assert.deepEqual(
      inner.map(({ parentSpanId }) => parentSpanId),
      [spanId],
      `the app's span in that of ${target}`,
    );
  }
  const broken = byPath("/broken");
  assert.deepEqual([broken.status.code, broken.status.message], [2, "out of stock"]);
  assert.deepEqual(
    broken.events.map(({ name }) => name),
    ["exception"],
  );
  assert.equal(Number(attribute(broken, "http.response.status_code")), 500);
  await until(
    "each worker has told of its drain",
    () => spans.filter(({ name }) => name === "drain").length === 2,
  );
});

test("the OpenTelemetry example has no type errors", async (context) => {
  const example = await installedExample(context, EXAMPLE);
  if (example === undefined) return;
  const own = join(example.folder, "node_modules", "tsgun");
  mkdirSync(join(example.folder, "node_modules"), { recursive: true });
  // An earlier run may have left a link to another folder.
  rmSync(own, { force: true });
  symlinkSync(ROOT, own);
  const tsc = createRequire(import.meta.url)
    .resolve("typescript/package.json")
    .replace("package.json", "bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", example.folder], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});
