import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { ScriptMap } from "../../../src/worker/watchdog/source-position.ts";

/** Line 0 of the compiled script is line 4 of app.ts, column 0 is column 2. */
const MAP = { version: 3, sources: ["app.ts"], names: [], mappings: "AAIE" };
const base64 = Buffer.from(JSON.stringify(MAP)).toString("base64");
const WRITTEN = { source: "/srv/app/app.ts", line: 5, column: 3 };

test("an inline map, in base64 and percent-encoded", () => {
  for (const data of [
    `;base64,${base64}`,
    `;charset=utf-8;base64,${base64}`,
    `,${encodeURIComponent(JSON.stringify(MAP))}`,
  ]) {
    const script = `run();\n//# sourceMappingURL=data:application/json${data}\n`;
    assert.deepEqual(new ScriptMap("file:///srv/app/app.js", script).original(0, 0), WRITTEN);
  }
});

test("a map in a file beside the script", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tsgun map "));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "app.js.map"), JSON.stringify(MAP));
  const script = "run();\n//# sourceMappingURL=app.js.map";
  const expected = { source: join(folder, "app.ts"), line: 5, column: 3 };
  assert.deepEqual(
    new ScriptMap(pathToFileURL(join(folder, "app.js")).href, script).original(0, 0),
    expected,
  );
  // CommonJS modules are named by path.
  assert.deepEqual(new ScriptMap(join(folder, "app.js"), script).original(0, 0), expected);
});

test("sourceRoot prefixes the source", () => {
  const map = JSON.stringify({ ...MAP, sourceRoot: "../src" });
  const script = `run();\n//# sourceMappingURL=data:application/json,${encodeURIComponent(map)}`;
  assert.equal(new ScriptMap("file:///srv/dist/app.js", script).original(0, 0).source, "/srv/src/app.ts");
});

test("the last comment counts, one inside a string before it does not", () => {
  const script = `const s = "//# sourceMappingURL=data:application/json,nonsense";\nrun();\n//# sourceMappingURL=data:application/json;base64,${base64}`;
  assert.deepEqual(new ScriptMap("file:///srv/app/app.js", script).original(0, 0), WRITTEN);
});

test("without a map, or with a broken or missing one, the position is the compiled one", () => {
  for (const end of [
    "",
    "\n//# sourceMappingURL=missing.js.map",
    "\n//# sourceMappingURL=data:application/json;base64,AAAA",
    "\n//# sourceMappingURL=data:application/json,{}",
    "\n//# sourceMappingURL=https://example.org/app.js.map",
  ]) {
    assert.deepEqual(new ScriptMap("file:///srv/app/app.js", `run();${end}`).original(6, 7), {
      source: "/srv/app/app.js",
      line: 7,
      column: 8,
    });
  }
  assert.equal(new ScriptMap("node:internal/timers", "").original(0, 0).source, "node:internal/timers");
});
