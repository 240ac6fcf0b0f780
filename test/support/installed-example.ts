/**
 * Examples with a package.json of their own: copied out of the repository and installed by the test that needs
 * them, once for each lockfile, into a folder of the system's temporary one that later runs find again.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Example, exampleOf } from "./example.ts";

/** The limit for installing or building, in milliseconds; it may take minutes. */
const DEADLINE = 4 * 60_000;

export interface InstalledExample {
  /** The name of its folder. */
  readonly name: string;
  readonly app: string;
  readonly server: string;
  /** Commands, each a program of its packages with arguments, that make it ready to run. */
  readonly build?: readonly (readonly string[])[];
}

/**
 * Installs and builds the example, unless that has been done before. Where its packages cannot be had the test is
 * skipped and says so, but with CI=true it fails.
 */
export async function installedExample(
  test: TestContext,
  { name, app, server, build = [] }: InstalledExample,
): Promise<Example | undefined> {
  const source = exampleOf(name).folder;
  const folder = join(tmpdir(), `tsgun-example-${name}-${fingerprint(source)}`);
  if (!existsSync(folder)) {
    // Made whole beside its place: another run may be doing the same.
    const draft = mkdtempSync(`${folder}-`);
    try {
      cpSync(source, draft, { recursive: true });
      const installed = await run("npm", ["ci", "--no-fund", "--no-audit"], draft);
      if (installed !== undefined) {
        if (
          process.env.CI === "true" ||
          !/network|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|ENOENT/.test(installed)
        )
          assert.fail(`npm ci in examples/${name}: ${installed}`);
        test.skip(`the packages of examples/${name} cannot be had: npm needs a network`);
        return undefined;
      }
      for (const [program = "", ...args] of build) {
        const failed = await run(join(draft, "node_modules", ".bin", program), args, draft);
        if (failed !== undefined) assert.fail(`${program} ${args.join(" ")}: ${failed}`);
      }
      if (!existsSync(folder)) renameSync(draft, folder);
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }
  return { folder, app, server };
}

/** Changes with every file of the example, and with the Node that its packages are installed for. */
function fingerprint(source: string): string {
  const hash = createHash("sha256").update(process.version.split(".")[0] ?? "");
  const files = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => !/^(?:node_modules|\.next)(?:$|\/)/.test(file) && statSync(join(source, file)).isFile())
    .sort();
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(source, file)));
  return hash.digest("hex").slice(0, 16);
}

/** Undefined if the program exited with 0, else its output. */
async function run(program: string, args: readonly string[], cwd: string): Promise<string | undefined> {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, NODE_ENV: undefined, NEXT_TELEMETRY_DISABLED: "1" },
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
