/** The built files: what several import exists once in a process, and what runs in a realm of its own needs no other. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMONJS_PROGRAM } from "../src/ipc/programs.ts";
import { ask } from "./support/ask.ts";
import { FIXTURES, startCommand } from "./support/command.ts";

const DIST = join(import.meta.dirname, "..", "dist");

test("an app's imports are the server's own modules, by whichever entry", async (context) => {
  const app = join(FIXTURES, "apps", "shared-classes.mjs");
  const command = startCommand(context, [app, "-b", "127.0.0.1:0"]);
  await command.ready();
  const target = { host: "127.0.0.1", port: await command.port() };
  const refused = { name: "GatewayError", isGatewayError: true };
  assert.deepEqual(JSON.parse((await ask(target, "/", "read twice")).text), refused);
  const { names, different } = JSON.parse((await ask(target)).text);
  assert.ok(names > 10);
  assert.deepEqual(different, []);
});

test("the programs of threads and of the loader's hooks import no chunk", () => {
  for (const name of [
    "worker/watchdog/thread",
    "loader/commonjs-facade",
    "loader/fresh-resolve",
    "loader/loading-hooks",
    "loader/typescript-thread",
  ]) {
    const kind = name === COMMONJS_PROGRAM ? "cjs" : "js";
    const code = readFileSync(join(DIST, `${name}.${kind}`), "utf8");
    assert.ok(code.length > 500);
    assert.doesNotMatch(code, /^(?:import|export)\b.* from ['"]\.|\brequire\(['"]\./m);
  }
});

test("every import of a built file is there", () => {
  const files = readdirSync(DIST, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".js"),
  );
  for (const file of files) {
    const imports = readFileSync(join(DIST, file), "utf8").matchAll(
      /(?:^(?:import|export)\b.* from |^import |\bimport\()['"](\.[^'"]+)['"]/gm,
    );
    for (const [, specifier = ""] of imports) {
      const imported = join(file, "..", specifier);
      assert.ok(files.includes(imported), `${file} imports ${imported}`);
    }
  }
});
