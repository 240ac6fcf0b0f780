/** The folders of `src` are layers: imports go down, never up, never sideways where the table says so. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const SRC = join(import.meta.dirname, "..", "src");

const LAYERS: { folders: string[]; mayImportEachOther: boolean }[] = [
  { folders: ["errors.ts", "gateway", "ipc", "native", "scoreboard"], mayImportEachOther: true },
  { folders: ["config", "exchange", "http", "log", "systemd"], mayImportEachOther: false },
  { folders: ["system"], mayImportEachOther: false },
  {
    folders: [
      "adopt",
      "conformance",
      "control",
      "deploy",
      "interop",
      "loader",
      "metrics",
      "records",
      "server",
      "tls",
    ],
    mayImportEachOther: true,
  },
  { folders: ["arbiter", "worker"], mayImportEachOther: false },
  { folders: ["cli", "index.ts"], mayImportEachOther: true },
  { folders: ["dashboard"], mayImportEachOther: false },
];

/** Only this file may import the parser package: it is never used as it comes. */
const PARSER_OWNER = "http/request-parser.ts";

/** The only file of the arbiter that `cli/` may import. */
const ARBITER_FRONT = "arbiter/index.ts";

interface Import {
  from: string;
  to: string;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.m?ts$/.test(entry.name) ? [path] : [];
  });
}

function imports(): Import[] {
  return sources(SRC).flatMap((file) => {
    const text = readFileSync(file, "utf8");
    const found = text.matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|import\(\s*"([^"]+)"|(?:^|\n)\s*import\s+"([^"]+)"/g,
    );
    return [...found].map((match) => ({
      from: relative(SRC, file),
      to: (match[1] ?? match[2] ?? match[3]) as string,
    }));
  });
}

function layerOf(path: string): number {
  const folder = path.split("/")[0] as string;
  return LAYERS.findIndex((layer) => layer.folders.includes(folder));
}

function local(edge: Import): string | undefined {
  return edge.to.startsWith(".") ? relative(SRC, join(SRC, dirname(edge.from), edge.to)) : undefined;
}

test("every folder of src has its layer", () => {
  for (const file of sources(SRC)) {
    assert.notEqual(layerOf(relative(SRC, file)), -1, `${relative(SRC, file)} is in no layer`);
  }
});

test("imports go down only", () => {
  for (const edge of imports()) {
    const target = local(edge);
    if (target === undefined) continue;
    const from = layerOf(edge.from);
    const to = layerOf(target);
    assert.ok(to <= from, `${edge.from} imports ${target}, which is in a layer above`);
    const sideways = to === from && edge.from.split("/")[0] !== target.split("/")[0];
    const allowed = LAYERS[from]?.mayImportEachOther === true;
    assert.ok(
      !sideways || allowed,
      `${edge.from} imports ${target}: folders of this layer know nothing of each other`,
    );
  }
});

test("the command imports nothing of the arbiter but its front, and nothing of the worker", () => {
  const inner = imports().flatMap((edge) => {
    const target = edge.from.startsWith("cli/") ? local(edge) : undefined;
    return target !== undefined && /^(arbiter|worker)\//.test(target) && target !== ARBITER_FRONT
      ? [`${edge.from} imports ${target}`]
      : [];
  });
  assert.deepEqual(inner, []);
});

test("the page of the dashboard shares types alone with the rest, and nothing imports it", () => {
  const files = sources(join(SRC, "dashboard"));
  assert.ok(files.length > 0);
  const values = files.flatMap((file) => {
    const found = readFileSync(file, "utf8").matchAll(
      /(?:^|\n)\s*(?:import|export)\s(?!type\s)[^;]*?from\s+"(\.\.\/[^"]+)"/g,
    );
    return [...found].map((match) => `${relative(SRC, file)} imports ${match[1]}`);
  });
  assert.deepEqual(values, []);
  const users = imports().filter(
    (edge) => !edge.from.startsWith("dashboard/") && local(edge)?.startsWith("dashboard/"),
  );
  assert.deepEqual(users, []);
});

test("no import cycles", () => {
  const graph = new Map<string, string[]>();
  for (const edge of imports()) {
    const target = local(edge);
    if (target !== undefined) graph.set(edge.from, [...(graph.get(edge.from) ?? []), target]);
  }
  const done = new Set<string>();
  const visit = (file: string, trail: string[]): void => {
    assert.ok(!trail.includes(file), `import cycle: ${[...trail, file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
});

test("the parser package is imported by its strict subclass alone", () => {
  const users = imports().filter((edge) => edge.to === "http-parser-js");
  assert.deepEqual(
    users.map((edge) => edge.from).filter((file) => file !== PARSER_OWNER),
    [],
  );
});

test("importing the gateway contract loads nothing but the contract", () => {
  const outside = imports().filter((edge) => edge.from.startsWith("gateway/") && !edge.to.startsWith("./"));
  assert.deepEqual(
    outside
      .filter((edge) => !edge.to.startsWith("node:") && edge.to !== "../errors.ts")
      .map((edge) => `${edge.from}: ${edge.to}`),
    [],
  );
});
