/** Every `--flag` in the documentation exists, in tsgun or in another program that is listed here. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Command } from "commander";
import { controlCommand } from "../../src/cli/ctl/ctl.ts";
import { doctorCommand } from "../../src/cli/doctor.ts";
import { initCommand } from "../../src/cli/init.ts";
import { makeProgram } from "../../src/cli/program.ts";
import { psCommand } from "../../src/cli/ps.ts";
import { topCommand } from "../../src/cli/top.ts";
import { whyCommand } from "../../src/cli/why.ts";
import { ABSENT_SETTINGS } from "../../src/config/gunicorn.ts";
import { ROOT, readPage } from "../support/page.ts";

/** Flags of other programs, by program. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  "bench/run.ts": ["--rounds", "--servers"],
  "npm run fuzz": ["--cases", "--go-on", "--subject", "--seed", "--file"],
  "npm run chaos:memory": ["--lives", "--reloads", "--commands"],
  curl: ["--unix-socket"],
  docker: ["--stop-timeout"],
  kubectl: ["--cpu-percent", "--min", "--max"],
  node: [
    "--cpu-prof",
    "--cpu-prof-dir",
    "--enable-source-maps",
    "--import",
    "--inspect",
    "--max-old-space-size",
    "--max-semi-space-size",
    "--permission",
    "--experimental-permission",
    "--allow-addons",
    "--allow-child-process",
    "--allow-fs-read",
    "--allow-fs-write",
    "--allow-net",
    "--allow-worker",
    "--allow-inspector",
  ],
  npm: ["--omit", "--save-dev"],
  "pm2, node": ["--watch"],
  setpriv: ["--no-new-privs"],
  systemctl: ["--kill-whom", "--now", "--signal"],
  tsc: ["--noEmit"],
  useradd: ["--home-dir", "--shell", "--system"],
};

/** Pages about gunicorn, which name flags that tsgun lacks. */
const ABOUT_GUNICORN = ["docs/settings.md", "docs/migrate-from-gunicorn.md", "docs/logging.md"];

const OURS = new Set(
  [makeProgram(), controlCommand(), initCommand(), doctorCommand(), psCommand(), topCommand(), whyCommand()]
    .flatMap(flagsOf)
    .concat("--help"),
);
const GUNICORNS = new Set(ABSENT_SETTINGS.flatMap(({ flags }) => flags));
const FOREIGNERS = new Set(Object.values(FOREIGN).flat());

function flagsOf(command: Command): string[] {
  const own = command.options.flatMap(({ flags }) => flags.match(/--[\w-]+/g) ?? []);
  return [...own, ...command.commands.flatMap(flagsOf)];
}

function flagsIn(path: string): { readonly flag: string; readonly line: number }[] {
  return readPage(path)
    .text.split("\n")
    .flatMap((text, index) =>
      [...text.matchAll(/(?<![\w-])--[a-z][\w-]*/g)].map(([flag]) => ({ flag, line: index + 1 })),
    );
}

const pages = readdirSync(join(ROOT, "docs")).filter((file) => file.endsWith(".md"));
const PAGES = ["README.md", ...pages.map((file) => `docs/${file}`)];

for (const path of PAGES) {
  test(`the flags in ${path} exist`, () => {
    const unknown = flagsIn(path).filter(({ flag }) => {
      if (OURS.has(flag) || FOREIGNERS.has(flag)) return false;
      return !(GUNICORNS.has(flag) && ABOUT_GUNICORN.includes(path));
    });
    assert.deepEqual(unknown, []);
  });
}

test("every listed flag of another program is on a page and is not one of tsgun's", () => {
  const named = new Set(PAGES.flatMap(flagsIn).map(({ flag }) => flag));
  assert.deepEqual(
    [...FOREIGNERS].filter((flag) => !named.has(flag) || OURS.has(flag)),
    [],
  );
});
