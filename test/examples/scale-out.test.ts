/** docs/scale-out.md quotes only lines of the example's files, which are tested. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../support/command.ts";
import { noNetworks } from "../support/component.ts";
import { Machine } from "../support/machine.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const EXAMPLE = join(ROOT, "examples", "scale-out");

/** The file that a block quotes, by language. Blocks of one line quote none. */
const SOURCES: Readonly<Record<string, string>> = {
  nginx: "nginx.conf",
  haproxy: "haproxy.cfg",
  ts: "tsgun.config.ts",
  sh: "rolling-deploy.sh",
};

/** Removes the indentation of each line. */
function lines(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trim())
    .join("\n");
}

test("the example contains every quotation of docs/scale-out.md", () => {
  const text = readFileSync(join(ROOT, "docs", "scale-out.md"), "utf8");
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)\n```$/gms)].filter(([, , block = ""]) =>
    block.includes("\n"),
  );
  assert.ok(blocks.length >= 6);
  for (const [, language = "", block = ""] of blocks) {
    const source = readFileSync(join(EXAMPLE, SOURCES[language] ?? ""), "utf8");
    assert.ok(lines(source).includes(lines(block)), `${SOURCES[language]} lacks:\n${block}`);
  }
});

test("the script prints its usage and changes nothing when called with wrong arguments", () => {
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

test("the script stops at a host that cannot be reached", () => {
  const env = { ...process.env, SSH: "false", RELEASE: "next" };
  const { status, stderr, stdout } = spawnSync(join(EXAMPLE, "rolling-deploy.sh"), [EXAMPLE, "one", "two"], {
    encoding: "utf8",
    env,
  });
  assert.equal(status, 1);
  assert.equal(stdout, "one: next\n");
  assert.match(stderr, /stopped at one, which does not serve next/);
});

test("the script keeps the latest three releases, even if the latest came from an old folder", {
  skip: noNetworks(),
}, async (context) => {
  const folder = temporaryFolder(context);
  const host = await Machine.start(context, join(folder, "host"));
  const app = join(host.srv, "app");
  for (const name of ["one", "two", "three"]) mkdirSync(join(app, "releases", name), { recursive: true });
  const order = [new Date("2026-01-01"), new Date("2026-01-02"), new Date("2026-01-03")];
  for (const [at, name] of ["one", "two", "three"].entries())
    utimesSync(join(app, "releases", name), order[at] as Date, order[at] as Date);
  symlinkSync("releases/three", join(app, "current"));
  // This host's server accepts every release.
  mkdirSync(join(app, "node_modules", ".bin"), { recursive: true });
  writeFileSync(join(app, "node_modules", ".bin", "tsgun"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  const build = join(folder, "build");
  mkdirSync(build);
  utimesSync(build, new Date("2001-01-01"), new Date("2001-01-01"));
  const ssh = join(folder, "fake-ssh");
  const enter = `nsenter --target ${host.pid} --net --mount`;
  writeFileSync(ssh, `#!/bin/sh\nshift\nexec ${enter} sh -c "$*"\n`, { mode: 0o755 });
  const { status, stderr } = spawnSync(join(EXAMPLE, "rolling-deploy.sh"), [build, "host"], {
    encoding: "utf8",
    env: { ...process.env, SSH: ssh, RELEASE: "four" },
  });
  assert.equal(status, 0, stderr);
  assert.equal(readlinkSync(join(app, "current")), "releases/four");
  assert.deepEqual(readdirSync(join(app, "releases")).sort(), ["four", "three", "two"]);
});
