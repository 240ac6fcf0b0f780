/**
 * A framework's project: copied out of the repository, installed and built with its own tools, in a folder of the
 * system's temporary one that later runs find again. A marker says that the build is whole.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { cleanUp } from "../support/command.ts";
import { otherNodes } from "../support/other-nodes.ts";

const PROJECTS = join(import.meta.dirname, "projects");

/** The limit for installing, and for building, in milliseconds. */
const DEADLINE = 10 * 60_000;

export interface Project {
  readonly folder: string;
  /** The node that it is built and run with. */
  readonly node: string;
}

/**
 * Installs and builds the project, unless an earlier run has. Skips the test where no Node is new enough or the packages
 * cannot be had; with CI=true it fails.
 */
export async function builtProject(test: TestContext, name: string): Promise<Project | undefined> {
  const source = join(PROJECTS, name);
  const { engines, scripts } = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as Package;
  const node = nodeFor(engines.node);
  if (node === undefined) {
    return lacking(test, `${name} needs Node ${engines.node}: name one in TSGUN_TEST_NODES`);
  }
  const folder = join(tmpdir(), `tsgun-framework-${name}-${fingerprint(source, node)}`);
  if (!existsSync(marker(folder))) {
    rmSync(folder, { recursive: true, force: true });
    cpSync(source, folder, { recursive: true });
    const installed = await run(
      ["npm", "install", "--no-package-lock", "--no-fund", "--no-audit"],
      folder,
      node,
    );
    if (installed !== undefined) {
      if (!/network|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT/.test(installed))
        assert.fail(`npm install: ${installed}`);
      return lacking(test, `the packages of ${name} cannot be had: npm needs a network`);
    }
    if (scripts?.build !== undefined) {
      const built = await run(["npm", "run", "build"], folder, node);
      if (built !== undefined) assert.fail(`npm run build: ${built}`);
    }
    writeFileSync(marker(folder), "");
  }
  return { folder, node };
}

/** Replaces the text of a built file until the test ends. */
export function replaceUntilEnd(
  test: TestContext,
  { folder }: Project,
  file: string,
  text: string,
): () => void {
  const path = join(folder, file);
  const before = readFileSync(path);
  // A run that is cut off here leaves no marker, so the next one builds again.
  rmSync(marker(folder), { force: true });
  const restore = (): void => {
    writeFileSync(path, before);
    writeFileSync(marker(folder), "");
  };
  cleanUp(test, restore);
  writeFileSync(path, text);
  return restore;
}

interface Package {
  readonly engines: { readonly node: string };
  readonly scripts?: { readonly build?: string };
}

function marker(folder: string): string {
  return join(folder, ".built");
}

/** The first of the Nodes at hand that is as new as `range` (`>=22.12.0`) asks for. */
function nodeFor(range: string): string | undefined {
  const wanted = numbersOf(range);
  return [process.execPath, ...otherNodes].find((node) => {
    const has = numbersOf(execFileSync(node, ["--version"], { encoding: "utf8" }));
    const at = wanted.findIndex((number, index) => number !== (has[index] ?? 0));
    return at === -1 || (has[at] ?? 0) > (wanted[at] ?? 0);
  });
}

function numbersOf(version: string): number[] {
  return [...version.matchAll(/\d+/g)].map(Number);
}

function lacking(test: TestContext, reason: string): undefined {
  if (process.env.CI === "true") assert.fail(reason);
  test.skip(reason);
}

/** Changes with every file of the project, and with the Node that its packages are installed for. */
function fingerprint(source: string, node: string): string {
  const hash = createHash("sha256").update(execFileSync(node, ["--version"]));
  const files = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => statSync(join(source, file)).isFile())
    .sort();
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(source, file)));
  return hash.digest("hex").slice(0, 16);
}

/** Runs a program with this Node as the one on the path. Undefined if it exited with 0, else its output. */
async function run(
  [program = "", ...args]: string[],
  cwd: string,
  node: string,
): Promise<string | undefined> {
  const child = spawn(program, args, {
    cwd,
    env: {
      ...process.env,
      NODE_ENV: undefined,
      NODE_OPTIONS: undefined,
      NODE_TEST_CONTEXT: undefined,
      PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
      NEXT_TELEMETRY_DISABLED: "1",
      NUXT_TELEMETRY_DISABLED: "1",
      ASTRO_TELEMETRY_DISABLED: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: DEADLINE,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  return await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) =>
      resolve(code === 0 ? undefined : `${said}\n(${signal ?? `code ${code}`})`),
    );
  });
}
