/** The servers that `npm run compare` compares: how each is started, reloaded and stopped. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { childrenOf } from "../../test/support/command.ts";
import { findProgram, ROOT, versionOf } from "../lib/programs.ts";

export const WORKERS = 2;
/** After which a server that knows of stuck workers is told to replace them. */
export const STUCK_AFTER_S = 5;
/** The limit for a process to end after it was asked to. */
const STOP_MS = 15_000;

export interface Running {
  readonly port: number;
  reload(): Promise<void>;
  /** How many processes answer when it has started. */
  readonly size: number;
  /** The processes that answer. */
  workers(): number[];
  stop(): Promise<void>;
}

export interface Subject {
  /** With its version. */
  readonly name: string;
  /** The app's file in its folder. */
  readonly file: "server.mjs" | "gateway.mjs" | "app.py";
  start(folder: string, port: number): Promise<Running>;
}

function launch(
  program: string,
  args: readonly string[],
  folder: string,
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, NODE_ENV: "production", ...env },
    stdio: "ignore",
  });
  child.on("error", () => {});
  return child;
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const workers = childrenOf(child.pid ?? 0);
  const ended = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => {
    for (const pid of [...workers, child.pid ?? 0]) kill(pid);
  }, STOP_MS);
  await ended;
  clearTimeout(timer);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** A server with a parent that is asked by signals. */
function forking(port: number, parent: ChildProcess): Running {
  return {
    port,
    size: WORKERS,
    async reload() {
      parent.kill("SIGHUP");
    },
    workers: () => (parent.exitCode === null ? childrenOf(parent.pid ?? 0) : []),
    stop: () => end(parent),
  };
}

function packageVersion(manifest: string): string {
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

function tsgun(file: "server.mjs" | "gateway.mjs", kind: string): Subject {
  return {
    name: `tsgun ${packageVersion(join(ROOT, "package.json"))}, ${kind}`,
    file,
    async start(folder, port) {
      const words = [file, "-w", `${WORKERS}`, "-b", `127.0.0.1:${port}`, "--timeout", `${STUCK_AFTER_S}s`];
      const more = ["--record-dir", join(folder, "records"), "--control-socket", join(folder, "c.ctl")];
      const command = [join(ROOT, "dist/cli/main.js"), ...words, ...more];
      // The program's own port: tsgun takes its server over.
      return forking(port, launch(process.execPath, command, folder, { COMPARE_PORT: "1" }));
    },
  };
}

const NODE: Subject = {
  name: `node:http alone, Node ${process.versions.node}`,
  file: "server.mjs",
  async start(folder, port) {
    const begin = (): ChildProcess =>
      launch(process.execPath, ["server.mjs"], folder, { COMPARE_PORT: `${port}` });
    let child = begin();
    return {
      port,
      size: 1,
      // All that it has: stop, and start again.
      async reload() {
        await end(child);
        child = begin();
      },
      workers: () => (child.exitCode === null && child.signalCode === null ? [child.pid ?? 0] : []),
      // It would wait for a blocked loop for ever.
      stop: () => end(child, "SIGKILL"),
    };
  },
};

function gunicorn(program: string, kind: string, ...more: string[]): Subject {
  return {
    name: `gunicorn ${versionOf(program, "--version")}, ${kind}`,
    file: "app.py",
    async start(folder, port) {
      const words = [
        "-b",
        `127.0.0.1:${port}`,
        "-w",
        `${WORKERS}`,
        "-k",
        kind,
        "-t",
        `${STUCK_AFTER_S}`,
        ...more,
      ];
      // Python would run the file compiled in the same second before.
      const env = { PYTHONDONTWRITEBYTECODE: "1" };
      return forking(port, launch(program, [...words, "app:application"], folder, env));
    },
  };
}

function pm2(program: string): Subject {
  return {
    name: `PM2 ${packageVersion(join(realpathSync(program), "..", "..", "package.json"))}, cluster`,
    file: "server.mjs",
    async start(folder, port) {
      const env = {
        ...process.env,
        NODE_ENV: "production",
        COMPARE_PORT: `${port}`,
        PM2_HOME: join(folder, "pm2"),
      };
      const run = async (...words: string[]): Promise<void> => {
        const child = spawn(program, words, { cwd: folder, env, stdio: "ignore" });
        await once(child, "exit");
      };
      await run("start", "server.mjs", "-i", `${WORKERS}`, "--name", "app");
      return {
        port,
        size: WORKERS,
        reload: () => run("reload", "app"),
        workers() {
          const text = execFileSync(program, ["jlist"], { cwd: folder, env, encoding: "utf8" });
          const list = JSON.parse(text.slice(text.indexOf("[{"))) as { pid: number }[];
          return list.map(({ pid }) => pid).filter((pid) => pid > 0);
        },
        stop: () => run("kill"),
      };
    },
  };
}

/** The servers that are installed, and what is missing. */
export function findSubjects(): {
  readonly subjects: readonly Subject[];
  readonly missing: readonly string[];
} {
  const [unicorn, manager] = [findProgram("gunicorn"), findProgram("pm2")];
  return {
    subjects: [
      tsgun("server.mjs", "the same program"),
      tsgun("gateway.mjs", "gateway app"),
      NODE,
      ...(unicorn === undefined
        ? []
        : [gunicorn(unicorn, "sync"), gunicorn(unicorn, "gthread", "--threads", "8")]),
      ...(manager === undefined ? [] : [pm2(manager)]),
    ],
    missing: [
      ...(unicorn === undefined ? ["gunicorn: apt-get install gunicorn"] : []),
      ...(manager === undefined ? ["PM2: npm run bench:install"] : []),
    ],
  };
}
