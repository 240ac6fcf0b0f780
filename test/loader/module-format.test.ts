import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { usesCommonJs } from "../../src/loader/module-format.ts";

describe("a file whose project leaves the format open", () => {
  const commonJs = [
    'import path from "node:path";\nconst views = path.join(__dirname, "views");',
    'import fs = require("node:fs");\nexport const a = fs;',
    "const app = 1;\nexport = app;",
    "if (require.main === module) listen();",
    'const data = require("./data.json");',
    "if (!module.parent) listen();",
  ];
  for (const source of commonJs)
    test(`is CommonJS: ${source}`, () => assert.equal(usesCommonJs(source), true));

  const modules = [
    'import path from "node:path";\nexport const a = path.sep;',
    "// no require() here, and no __dirname\nexport const a = 1;",
    "export const text = \"require(x)\" + '__filename';",
    'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);\nrequire("x");',
    "const __dirname = dirname(fileURLToPath(import.meta.url));",
    'import type fs = require("node:fs");\nexport const a = 1;',
    "export const found = loader.require(name) ?? loader.module.exports;",
  ];
  for (const source of modules)
    test(`is an ES module: ${source}`, () => assert.equal(usesCommonJs(source), false));
});
