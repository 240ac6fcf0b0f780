/** The suite over `toNodeListener` on node's own http.Server, by the adapter that docs/gateway.md (section 15) shows. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const ROOT = join(import.meta.dirname, "..", "..");
const [, section = ""] = readFileSync(join(ROOT, "docs", "gateway.md"), "utf8").split(/^## 15\. /m);
const [, code = ""] = /```ts\n(.*?)```/s.exec(section) ?? [];
assert.ok(code.trimEnd().split("\n").length <= 40, "the adapter is longer than forty lines");

/** The document's imports, and where they are here. */
const MODULES: { readonly [specifier: string]: string } = {
  "tsgun/conformance": join(ROOT, "src", "conformance", "index.ts"),
  "./my-server.ts": join(ROOT, "test", "fixtures", "conformance", "my-server.ts"),
};

const folder = mkdtempSync(join(tmpdir(), "tsgun-adapter-"));
const file = join(folder, "adapter.ts");
const placed = Object.entries(MODULES).reduce((text, [specifier, path]) => {
  assert.ok(text.includes(`"${specifier}"`), specifier);
  return text.replace(`"${specifier}"`, JSON.stringify(pathToFileURL(path).href));
}, code);
writeFileSync(
  file,
  // It trusts proxies, and so shows more than the example says.
  placed
    .replace(/^ {2}proxies: .*\n/m, "")
    .replace('{\n  "a later', '{\n  "dressed-refusals": "its parser answers by itself",\n  "a later'),
);
await import(pathToFileURL(file).href);
rmSync(folder, { recursive: true });
