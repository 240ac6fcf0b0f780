/** The contents of an installation: which packages, from where, and what they may run. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "./support/command.ts";
import { ROOT, readPage } from "./support/page.ts";

interface Package {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly peer?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function json<T>(file: string): T {
  return JSON.parse(readFileSync(join(ROOT, file), "utf8")) as T;
}

const manifest = json<{
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
}>("package.json");
const { packages } = json<{ readonly packages: Readonly<Record<string, Package>> }>("package-lock.json");
const locked = Object.entries(packages).filter(([path, { link }]) => path !== "" && link !== true);

/**
 * Builds of the TypeScript compiler for other platforms, of which npm recorded no digest. An installation from the package
 * has no lockfile and checks what the registry says; `npm ci` in a clone takes the build for its own platform.
 */
const WITHOUT_DIGEST = /^node_modules\/@oxc-node\/core-(?!linux-x64-gnu$)/;

test("the lockfile names no address, and has a digest of each package", () => {
  assert.deepEqual(
    locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path),
    [],
  );
  assert.match(readFileSync(join(ROOT, ".npmrc"), "utf8"), /^omit-lockfile-registry-resolved=true$/m);
  const without = locked.filter(([, { integrity }]) => !/^sha512-\S{86}==$/.test(integrity ?? ""));
  assert.deepEqual(
    without.map(([path]) => path).filter((path) => !WITHOUT_DIGEST.test(path)),
    [],
  );
});

/** The packages that an installation on Linux (x64, glibc) has, without optional ones or with them. */
function installed(withOptional: boolean): Set<string> {
  const found = new Set<string>();
  const visit = (name: string, from: string): void => {
    // As Node finds it: nested in the package that needs it, or above.
    const path = [`${from}/node_modules/${name}`, `node_modules/${name}`].find((each) => each in packages);
    const entry = path === undefined ? undefined : packages[path];
    if (path === undefined || entry === undefined || found.has(path) || !isForLinux(entry)) return;
    found.add(path);
    for (const next of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }))
      visit(next, path);
  };
  const { dependencies, optionalDependencies } = manifest;
  for (const name of Object.keys(withOptional ? { ...dependencies, ...optionalDependencies } : dependencies))
    visit(name, "");
  return found;
}

function isForLinux({ os, cpu, libc }: Package): boolean {
  return (
    (os?.includes("linux") ?? true) && (cpu?.includes("x64") ?? true) && (libc?.includes("glibc") ?? true)
  );
}

test("SECURITY.md says how many packages an installation brings, and which of them have install scripts", () => {
  const { text } = readPage("SECURITY.md");
  const direct = Object.keys(manifest.dependencies).length;
  const optional = Object.keys(manifest.optionalDependencies).length;
  const [lean, full] = [installed(false).size, installed(true).size];
  const sentence = `${direct} dependencies and ${optional} optional ones, which with their own come to ${full} packages, ${lean} without the optional ones`;
  assert.ok(text.replaceAll(/\s+/g, " ").includes(sentence), `SECURITY.md does not say: ${sentence}`);
  const scripted = [...installed(true)].filter((path) => packages[path]?.hasInstallScript === true);
  assert.deepEqual(
    scripted.map((path) => path.replace("node_modules/", "")).sort(),
    ["@swc/core", "koffi"],
    "SECURITY.md names those with install scripts",
  );
  for (const path of scripted) assert.match(text, new RegExp(`\`${path.replace("node_modules/", "")}\``));
});

test("the package itself runs nothing when it is installed", () => {
  const atInstallation = ["preinstall", "install", "postinstall", "prepare", "preprepare", "postprepare"];
  assert.deepEqual(
    Object.keys(manifest.scripts).filter((name) => atInstallation.includes(name)),
    [],
  );
});

test("each dependency has a line in the architecture that says why", () => {
  const { text } = readPage("docs/architecture.md");
  const lines = text.slice(text.indexOf("## Dependencies"));
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }))
    assert.ok(lines.includes(`\n| ${name} `), `${name} is not in the table of dependencies`);
});

const AUDITS = [
  {
    what: "no vulnerability",
    prints: { vulnerabilities: {}, metadata: { dependencies: { prod: 27 } } },
    code: 0,
    says: /^no known vulnerability in 27 production dependencies$/m,
  },
  {
    what: "a vulnerability",
    prints: { vulnerabilities: { left: { severity: "high", range: "<2", fixAvailable: true } } },
    code: 1,
    says: /^left <2: high: see npm audit$/m,
  },
  {
    what: "no list",
    prints: { message: "405 Method Not Allowed", error: { summary: "" } },
    code: 0,
    says: /^not checked for known vulnerabilities: 405 Method Not Allowed$/m,
  },
  {
    what: "no JSON",
    prints: undefined,
    code: 0,
    says: /^not checked for known vulnerabilities: npm printed no JSON$/m,
  },
];

for (const { what, prints, code, says } of AUDITS) {
  test(`npm run audit with ${what} ends with ${code}`, (context) => {
    const folder = temporaryFolder(context);
    writeFileSync(
      join(folder, "npm"),
      `#!/bin/sh\ncat <<'END'\n${prints === undefined ? "" : JSON.stringify(prints)}\nEND\n`,
    );
    chmodSync(join(folder, "npm"), 0o755);
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", "@oxc-node/core/register", join(ROOT, "scripts/audit.ts")],
      {
        cwd: ROOT,
        encoding: "utf8",
        env: { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` },
      },
    );
    assert.equal(status, code, stderr);
    assert.match(stdout + stderr, says);
  });
}
