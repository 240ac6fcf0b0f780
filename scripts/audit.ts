/**
 * `npm run audit`: fails if a package that an installation gets has a known vulnerability. Where the registry has no such
 * list or cannot be reached, nothing is known: a warning, and no failure, so that a build does not depend on a network.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

interface Audit {
  readonly vulnerabilities?: Readonly<
    Record<string, { readonly severity: string; readonly range: string; readonly fixAvailable: unknown }>
  >;
  readonly metadata?: { readonly dependencies: { readonly prod: number } };
  readonly message?: string;
  readonly error?: { readonly summary?: string };
}

function audit(): Audit {
  // Development packages run on nobody's server. They are updated as CONTRIBUTING.md says.
  const { stdout, error } = spawnSync("npm", ["audit", "--omit=dev", "--json"], {
    cwd: join(import.meta.dirname, ".."),
    encoding: "utf8",
    timeout: 60_000,
  });
  if (error !== undefined) return { message: error.message };
  try {
    return JSON.parse(stdout) as Audit;
  } catch {
    return { message: "npm printed no JSON" };
  }
}

const { vulnerabilities, metadata, message, error } = audit();
if (vulnerabilities === undefined) {
  const reason = message || error?.summary || "npm gave no reason";
  console.warn(`not checked for known vulnerabilities: ${reason.split("\n")[0]}`);
} else {
  const found = Object.entries(vulnerabilities);
  for (const [name, { severity, range, fixAvailable }] of found)
    console.error(
      `${name} ${range}: ${severity}${fixAvailable === false ? ", without a fix" : ""}: see npm audit`,
    );
  if (found.length > 0) process.exitCode = 1;
  else
    console.log(`no known vulnerability in ${metadata?.dependencies.prod ?? "the"} production dependencies`);
}
