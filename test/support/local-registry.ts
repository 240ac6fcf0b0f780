/**
 * A registry of npm packages on 127.0.0.1, so that `npm install` runs as people type it, without a network:
 *
 *   local-registry.ts PORT TARBALL
 *
 * It has what the root's node_modules have, in those versions and no others, and this package from TARBALL. What the
 * lockfile names and this machine does not need, such as another system's binaries, it only lists.
 */
import { spawn } from "node:child_process";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** One version of a package. */
interface Offer {
  readonly manifest: Manifest;
  /** Its folder; undefined for this package, and for one that is not installed. */
  readonly folder?: string;
}

const [port, tarball = ""] = process.argv.slice(2);
const offers = new Map<string, Map<string, Offer>>();

function offer(entry: Offer): void {
  const { name, version } = entry.manifest;
  const versions = offers.get(name) ?? new Map<string, Offer>();
  offers.set(name, versions);
  if (!versions.has(version)) versions.set(version, entry);
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

function readOffers(): void {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, Manifest>>;
  };
  offer({ manifest: readManifest(ROOT) });
  for (const [path, entry] of Object.entries(lock.packages)) {
    const name = path.split("node_modules/").at(-1) ?? "";
    const folder = join(ROOT, path);
    if (name === "") continue;
    if (existsSync(join(folder, "package.json"))) offer({ manifest: readManifest(folder), folder });
    else offer({ manifest: { ...entry, name } });
  }
}

/** npm's description of a package. The first version is that of the root's own dependencies: its latest. */
function packument(name: string, versions: ReadonlyMap<string, Offer>): object {
  const [latest] = versions.keys();
  const described = [...versions].map(([version, { manifest }]) => {
    const tarball = `http://127.0.0.1:${port}/-/${encodeURIComponent(name)}/${version}`;
    // The build is there: nothing is to be run at an installation.
    return [version, { ...manifest, scripts: {}, dist: { tarball } }];
  });
  return { name, "dist-tags": { latest }, versions: Object.fromEntries(described) };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const [, first = "", second = "", version = ""] = (request.url ?? "").split("/").map(decodeURIComponent);
  const versions = offers.get(first === "-" ? second : first);
  const wanted = versions?.get(version);
  if (first !== "-" && versions !== undefined) response.end(JSON.stringify(packument(first, versions)));
  else if (wanted?.folder !== undefined) {
    const words = ["-czf", "-", "--exclude=./node_modules", "--transform=s,^\\.,package,", "."];
    spawn("tar", words, { cwd: wanted.folder, stdio: ["ignore", "pipe", "inherit"] }).stdout.pipe(response);
  } else if (wanted?.manifest.name === "tsgun") createReadStream(tarball).pipe(response);
  else response.writeHead(404).end();
}

readOffers();
createServer(answer).listen(Number(port), "127.0.0.1", () => console.log("ready"));
