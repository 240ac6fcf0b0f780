/**
 * Every file that the server makes, as the kernel was asked for it: under a umask of 0, as root with workers of another user,
 * none is open to more users than docs/hardening.md says. Another umask only takes permissions away.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { needsRoot, OTHER, READABLE, readableCheckout } from "../support/other-user.ts";

const SKIP = needsRoot() || missing("strace");
const CALLS = "openat,open,creat,mkdir,mkdirat,mknod,mknodat,memfd_create";

/** The most that a new file may be asked for, by its path; the first pattern counts. */
const ALLOWED: readonly (readonly [pattern: RegExp, mode: number])[] = [
  [/\/app\.pid(\.2)?\.new\.\d+$/, 0o644],
  [/\/(access|error)\.log$/, 0o640],
  [/\/records$/, 0o700],
  [/\/records\/\.draft-\d+-\d+$/, 0o600],
  [/^\/dev\/shm\/tsgun-[\w-]+$/, 0o600],
  [/\/\.cache\/tsgun\/compiled$/, 0o700],
  [/\/(\.cache|\.cache\/tsgun|run|run\/tsgun|state)$/, 0o700],
  // Node writes these into that closed folder.
  [/\/\.cache\/tsgun\/compiled\/.+/, 0o777],
];

interface Created {
  readonly path: string;
  readonly mode: number;
}

/** The calls of a trace, a line each: strace cuts one during which another thread made a call. */
function callsIn(trace: string): string[] {
  const begun = new Map<string, string>();
  return trace.split("\n").flatMap((line) => {
    const [, pid = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (text.endsWith(" <unfinished ...>")) {
      begun.set(pid, text.slice(0, -" <unfinished ...>".length));
      return [];
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
    return [rest === undefined ? text : `${begun.get(pid) ?? ""}${rest}`];
  });
}

/** The files and folders that a trace shows as made, with the mode that was asked for. */
function createdIn(trace: string): Created[] {
  return callsIn(trace).flatMap((line) => {
    const opened = /open(?:at)?\((?:AT_FDCWD, )?"([^"]+)", [^)]*O_CREAT[^)]*, (0[0-7]*)/.exec(line);
    const made = /mk(?:dir|nod)(?:at)?\((?:AT_FDCWD, )?"([^"]+)", (?:S_\w+\|)*(0[0-7]*)/.exec(line);
    const [, path = "", mode = ""] = opened ?? made ?? [];
    return path === "" || /= -1 /.test(line) ? [] : [{ path, mode: Number.parseInt(mode, 8) }];
  });
}

test("no file is open to more users than the manual says", { skip: SKIP }, async (context) => {
  const folder = temporaryFolder(context);
  chmodSync(folder, 0o755);
  for (const name of ["run", "state", "cache"]) mkdirSync(join(folder, name));
  const source = `import { handler as attacked } from ${JSON.stringify(`${READABLE}/test/fixtures/attacks/app.mjs`)};
    export const handler = (request, respond) => request.path === "/end" ? process.exit(3) : attacked(request, respond);`;
  writeFileSync(join(folder, "app.mjs"), source, { mode: 0o644 });
  writeFileSync(join(folder, "token"), "a-token-of-the-operator", { mode: 0o600 });
  const at = (name: string): string => join(folder, name);
  const words = [
    ...[at("app.mjs"), "-w", "2", "-b", `unix:${at("app.sock")}`, "--pid", at("app.pid"), "--preload"],
    ...["--access-logfile", at("access.log"), "--error-logfile", at("error.log"), "--umask", "0"],
    ...["--control-socket", at("c.ctl"), "--control-readonly-socket", at("shown.ctl")],
    ...[
      "--admin-bind",
      `unix:${at("admin.sock")}`,
      "--admin-token-file",
      at("token"),
      "--record-dir",
      at("records"),
    ],
    ...["--user", `${OTHER.uid}`, "--group", `${OTHER.gid}`],
  ];
  const trace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", `trace=${CALLS}`, "-o", at("trace")];
  const server = startCommand(context, words, {
    cwd: folder,
    prefix: [...trace, ...readableCheckout()],
    env: { XDG_RUNTIME_DIR: at("run"), XDG_STATE_HOME: at("state"), XDG_CACHE_HOME: at("cache") },
  });
  const log = (): string => (existsSync(at("error.log")) ? readFileSync(at("error.log"), "utf8") : "");
  const logged = (pattern: RegExp): Promise<boolean> =>
    until(`the log says ${pattern}`, () => pattern.test(log()));
  await logged(/Ready: generation 1/);
  // A tracer is between this process and the server.
  const pid = (): number => Number(readFileSync(at("app.pid"), "utf8"));
  const first = pid();
  await ask({ path: at("app.sock") });
  await ask({ path: at("app.sock") }, "/end").catch(() => {});
  await until(
    "the end is recorded",
    () => existsSync(at("records")) && readdirSync(at("records")).length > 0,
  );
  process.kill(pid(), "SIGHUP");
  await logged(/Ready: generation 2/);
  process.kill(pid(), "SIGUSR1");
  process.kill(pid(), "SIGUSR2");
  await until("the upgrade is over", () => pid() !== first && !existsSync(`/proc/${first}`));
  const [worker] = (
    JSON.parse((await ask({ path: at("c.ctl") }, "/workers")).text) as { readonly pid: number }[]
  ).map((each) => each.pid);
  for (const verb of [
    ["profile", `${worker}`, "--seconds", "1"],
    ["heap", `${worker}`, "--yes"],
  ]) {
    const command = new RunningCommand(["ctl", ...verb, "--control-socket", at("c.ctl")], { cwd: folder });
    assert.equal((await command.ended()).code, 0, command.stderr);
  }

  const modes = (name: string): string => (lstatSync(at(name)).mode & 0o777).toString(8);
  const closed: Record<string, string> = {
    "c.ctl": "600",
    "shown.ctl": "660",
    "admin.sock": "770",
    records: "700",
  };
  for (const name of ["app.pid"]) closed[name] = "644";
  for (const name of ["access.log", "error.log"]) closed[name] = "640";
  for (const name of readdirSync(at("records"))) closed[`records/${name}`] = "600";
  for (const name of readdirSync(folder).filter((each) => /\.(cpuprofile|heapsnapshot)$/.test(each)))
    closed[name] = "600";
  assert.equal(Object.keys(closed).filter((name) => /\.(cpuprofile|heapsnapshot)$/.test(name)).length, 2);
  assert.deepEqual(Object.fromEntries(Object.keys(closed).map((name) => [name, modes(name)])), closed);

  process.kill(pid(), "SIGTERM");
  await until("all have ended", () => server.exit);
  const created = createdIn(readFileSync(at("trace"), "utf8"));
  const beyond = created.filter(({ path, mode }) => {
    const allowed = ALLOWED.find(([pattern]) => pattern.test(path))?.[1];
    return allowed === undefined || (mode & ~allowed) !== 0;
  });
  assert.deepEqual([...new Set(beyond.map(({ path, mode }) => `${path} ${mode.toString(8)}`))], []);
  for (const pattern of [/\.log$/, /\.draft/, /\/dev\/shm/, /\.new\.\d+$/])
    assert.ok(
      created.some(({ path }) => pattern.test(path)),
      `the trace shows no ${pattern}`,
    );
});
