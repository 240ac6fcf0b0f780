/** docs/scale-out.md quotes the files of the example, which are what is tested: no line of them is made up. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..", "..");
const EXAMPLE = join(ROOT, "examples", "scale-out");

/** Which file a block is from, by its language. Commands of one line are nobody's. */
const SOURCES: Readonly<Record<string, string>> = {
  nginx: "nginx.conf",
  haproxy: "haproxy.cfg",
  ts: "tsgun.config.ts",
  sh: "rolling-deploy.sh",
};

/** As lines without their indentation. */
function lines(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trim())
    .join("\n");
}

test("what docs/scale-out.md quotes is in the example", () => {
  const text = readFileSync(join(ROOT, "docs", "scale-out.md"), "utf8");
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)\n```$/gms)].filter(([, , block = ""]) =>
    block.includes("\n"),
  );
  assert.ok(blocks.length >= 6);
  for (const [, language = "", block = ""] of blocks) {
    const source = readFileSync(join(EXAMPLE, SOURCES[language] ?? ""), "utf8");
    assert.ok(lines(source).includes(lines(block)), `${SOURCES[language]} has not got:\n${block}`);
  }
});

test("the script says how it is used, and touches nothing when it is called wrongly", () => {
  const script = join(EXAMPLE, "rolling-deploy.sh");
  for (const args of [[], ["build"]]) {
    const { status, stderr } = spawnSync(script, args, {
      encoding: "utf8",
      env: { ...process.env, SSH: "false" },
    });
    assert.equal(status, 2);
    assert.match(stderr, /^usage: .*rolling-deploy\.sh FOLDER HOST\.\.\.\n$/);
  }
});

test("a host that cannot be reached ends it", () => {
  const env = { ...process.env, SSH: "false", RELEASE: "next" };
  const { status, stderr, stdout } = spawnSync(join(EXAMPLE, "rolling-deploy.sh"), [EXAMPLE, "one", "two"], {
    encoding: "utf8",
    env,
  });
  assert.equal(status, 1);
  assert.equal(stdout, "one: next\n");
  assert.match(stderr, /stopped at one, which does not serve next/);
});
