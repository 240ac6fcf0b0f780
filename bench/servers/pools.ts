/** Pools of other worlds: PM2, puma, gunicorn. They serve only the smallest app. */
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { APPS, requireProgram, versionOf } from "../lib/programs.ts";
import type { Server } from "../lib/server.ts";
import { programOf, variables } from "./node.ts";

const pm2 = (): string => requireProgram("pm2-runtime", "npm run bench:install");

/** From the package: `pm2-runtime --version` would create `~/.pm2`. */
function pm2Version(): string {
  const file = join(dirname(realpathSync(pm2())), "..", "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

const puma = (): string => requireProgram("puma", "apt-get install puma");
const gunicorn = (): string => requireProgram("gunicorn", "apt-get install gunicorn");

export const PM2: Server = {
  name: "pm2",
  what: "PM2 in cluster mode, in the foreground",
  version: pm2Version,
  command(launch, place) {
    const program = programOf(launch.app);
    if (program === undefined || typeof place.address === "string") return undefined;
    const file = join(APPS, program.file);
    return {
      words: [process.execPath, pm2(), "start", file, "--name", "bench", "-i", `${launch.workers}`],
      env: { ...variables(launch, place), ...program.env, PM2_HOME: join(place.folder, "pm2") },
    };
  },
};

export const PUMA: Server = {
  name: "puma",
  what: "puma (Ruby) in cluster mode, with its 5 threads a worker",
  version: () => versionOf(puma(), "--version"),
  command({ app, workers }, { address }) {
    if (app !== "hello") return undefined;
    const bind = typeof address === "number" ? `tcp://127.0.0.1:${address}` : `unix://${address}`;
    const config = join(APPS, "hello/config.ru");
    return { words: [puma(), "--quiet", "-w", `${workers}`, "-t", "5:5", "-b", bind, config] };
  },
};

function gunicornServer(name: string, what: string, ...flags: string[]): Server {
  return {
    name,
    what,
    version: () => versionOf(gunicorn(), "--version"),
    command({ app, workers, threads }, { address }) {
      if (app !== "hello" && app !== "work" && app !== "routes") return undefined;
      const bind = typeof address === "number" ? `127.0.0.1:${address}` : `unix:${address}`;
      const more = threads === undefined ? [] : ["--threads", `${threads}`];
      const words = [
        "-w",
        `${workers}`,
        "-b",
        bind,
        "--chdir",
        join(APPS, app),
        ...flags,
        ...more,
        "wsgi:app",
      ];
      return { words: [gunicorn(), ...words] };
    },
  };
}

export const GUNICORN = gunicornServer("gunicorn", "gunicorn (Python) with its sync workers: no keep-alive");
export const GUNICORN_THREADS = gunicornServer(
  "gunicorn-threads",
  "gunicorn (Python) with 4 threads a worker, which keep connections",
  "-k",
  "gthread",
  "--threads",
  "4",
);
