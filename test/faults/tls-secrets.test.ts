/** The key of a certificate and its password: workers of another user serve with a key that only root may read, and no output holds it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ask } from "../support/ask.ts";
import { askTls } from "../support/ask-tls.ts";
import { COMMAND, startCommand, temporaryFolder, until } from "../support/command.ts";
import { missing } from "../support/component.ts";
import { needsRoot, OTHER, READABLE, readableCheckout } from "../support/other-user.ts";

const PASSWORD = "CANARY-keyfile-password";
const APP = join(READABLE, "test/fixtures/records/deaths.mjs");

test("a worker of another user serves with a key of root's, which is in no output", {
  skip: needsRoot() || missing("openssl"),
}, async (context) => {
  const folder = temporaryFolder(context);
  chmodSync(folder, 0o755);
  const [certificate, key, control] = ["cert.pem", "key.pem", "c.ctl"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"];
  const named = [
    "-subj",
    "/CN=localhost",
    "-keyout",
    key,
    "-out",
    certificate,
    "-passout",
    `pass:${PASSWORD}`,
  ];
  execFileSync("openssl", [...made, ...named], { stdio: ["ignore", "ignore", "pipe"] });
  chmodSync(key, 0o600);
  const plain = execFileSync("openssl", ["ec", "-in", key, "-passin", `pass:${PASSWORD}`], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  // The lines of the key as it lies there, and as it is without its password.
  const lines = (pem: string): string[] => pem.split("\n").filter((line) => /^[\w+/=]{20,}$/.test(line));
  const secrets = [PASSWORD, ...lines(readFileSync(key, "utf8")), ...lines(plain)];
  assert.ok(secrets.length >= 6, `${secrets.length} secrets`);

  const words = [APP, "-w", "1", "-b", "127.0.0.1:0", "--certfile", certificate, "--keyfile", key];
  const more = ["--control-socket", control, "--record-dir", join(folder, "records"), "--log-level", "debug"];
  const server = startCommand(
    context,
    [...words, ...more, "--user", `${OTHER.uid}`, "--group", `${OTHER.gid}`],
    {
      cwd: folder,
      prefix: readableCheckout(),
      env: { TSGUN_KEYFILE_PASSWORD: PASSWORD, NODE_OPTIONS: "--max-old-space-size=60" },
    },
  );
  await server.ready();
  const port = Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec((await server.urls()).join(" "))?.[1]);
  const trust = { port, ca: readFileSync(certificate) };
  const [worker = 0] = server.workers();
  assert.match((await askTls(trust)).text, new RegExp(`\r\n\r\n${worker}\n$`));
  assert.equal(lstatSync(key).uid, 0);
  assert.match(readFileSync(`/proc/${worker}/status`, "utf8"), new RegExp(`^Uid:\t${OTHER.uid}\t`, "m"));

  for (const [index, path] of ["/throw", "/heap"].entries()) {
    await askTls(trust, `GET ${path} HTTP/1.1`).catch(() => {});
    await until("its end is recorded", () => {
      try {
        return readdirSync(join(folder, "records")).length > index;
      } catch {
        return false;
      }
    });
  }
  server.kill("SIGHUP");
  await server.ready(2);

  const found = new Map<string, string>([
    ["standard error", server.stderr],
    ["standard output", server.stdout],
  ]);
  for (const path of ["/config", "/status", "/workers", "/listeners", "/stats", "/metrics", "/deaths"])
    found.set(path, (await ask({ path: control }, path)).text);
  for (const name of readdirSync(join(folder, "records")))
    found.set(name, readFileSync(join(folder, "records", name), "latin1"));
  for (const pid of [server.pid, ...server.workers()])
    found.set(`command line of ${pid}`, readFileSync(`/proc/${pid}/cmdline`, "latin1"));
  for (const pid of server.workers())
    found.set(`environment of ${pid}`, readFileSync(`/proc/${pid}/environ`, "latin1"));
  const printed = spawnSync(process.execPath, [COMMAND, "--print-config", ...words], {
    encoding: "utf8",
    env: { ...process.env, TSGUN_KEYFILE_PASSWORD: PASSWORD },
  });
  found.set("--print-config", printed.stdout + printed.stderr);
  assert.match(printed.stdout, /keyfile-password/);
  const leaks = [...found].flatMap(([name, text]) =>
    secrets.filter((secret) => text.includes(secret)).map(() => name),
  );
  assert.deepEqual(leaks, []);

  const wrong = spawnSync(
    process.execPath,
    [COMMAND, ...words.slice(1), join(import.meta.dirname, "../fixtures/pool/echo.mjs")],
    {
      encoding: "utf8",
      env: { ...process.env, TSGUN_KEYFILE_PASSWORD: "CANARY-another-password" },
      timeout: 30_000,
    },
  );
  assert.notEqual(wrong.status, 0);
  assert.doesNotMatch(wrong.stdout + wrong.stderr, /CANARY/);
});
