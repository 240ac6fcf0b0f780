/**
 * `npm run bench:install`: installs the servers that npm has into `.cache/bench` (or the folder that TSGUN_BENCH_SERVERS
 * names), which git ignores. They are no dependencies of tsgun. Says how to install the others.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, SERVERS_FOLDER } from "./lib/programs.ts";

const PACKAGES = ["bun@1", "pm2@7"];
/** Debian's packages by the programs that the bench looks for. */
const DEBIAN = {
  wrk: "wrk",
  h2load: "nghttp2-client",
  openssl: "openssl",
  haproxy: "haproxy",
  taskset: "util-linux",
  nginx: "nginx",
  puma: "puma",
  gunicorn: "gunicorn",
};

mkdirSync(SERVERS_FOLDER, { recursive: true });
const manifest = join(SERVERS_FOLDER, "package.json");
if (!existsSync(manifest)) writeFileSync(manifest, '{ "private": true }\n');
const options = { cwd: SERVERS_FOLDER, stdio: "inherit" } as const;
execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...PACKAGES], options);
// Puts Bun's binary for this machine where its package's command is.
execFileSync(process.execPath, ["install.js"], { ...options, cwd: join(SERVERS_FOLDER, "node_modules/bun") });

const missing = Object.entries(DEBIAN).filter(([program]) => findProgram(program) === undefined);
if (missing.length > 0)
  console.log(`for the rest: apt-get install ${missing.map(([, name]) => name).join(" ")}`);
