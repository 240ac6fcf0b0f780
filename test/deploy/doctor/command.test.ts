/** `tsgun doctor` through the built command: what it reads, what it prints, and how it ends. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { describe, test } from "node:test";
import type { Report } from "../../../src/deploy/doctor/report.ts";
import { TestAuthority } from "../../support/certificates.ts";
import { startCommand } from "../../support/command.ts";
import { missing } from "../../support/component.ts";
import { examine } from "../../support/doctor.ts";
import { fillProject, initialise, projectOf } from "../../support/init.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const SHOP = {
  "package.json": '{ "name": "shop", "type": "module" }',
  "app.ts": 'export const handler = (request, respond) => respond(200, {}, "shop");\n',
};
const SITE = "deploy/nginx/shop.conf";
const SERVICE = "deploy/systemd/shop.service";
const MANIFEST = "deploy/kubernetes/shop.yaml";

/** As JSON, without what is found of the machine that runs the test. */
function report(
  folder: string,
  ...words: string[]
): Report & { readonly status: number | null; readonly rules: string[] } {
  const { status, stdout, stderr } = examine(folder, "--json", ...words);
  assert.equal(stderr, "");
  const { findings, ...rest } = JSON.parse(stdout) as Report;
  const own = findings.filter(({ rule }) => !/^(?:machine|server)-/.test(rule));
  return { ...rest, findings: own, status, rules: own.map(({ rule }) => rule) };
}

describe("doctor finds nothing wrong with", () => {
  test("the files that tsgun init writes", (t) => {
    const folder = projectOf(t, SHOP);
    assert.equal(initialise(folder, "config", "nginx", "systemd", "kubernetes", "docker").status, 0);
    const { findings, checked, unchecked, status } = report(folder);
    assert.deepEqual([findings, status], [[], 0]);
    assert.deepEqual(checked, [
      "tsgun.config.ts",
      SITE,
      SERVICE,
      "deploy/systemd/shop.socket",
      MANIFEST,
      "Dockerfile",
      "this machine",
    ]);
    assert.deepEqual(unchecked, ["a running server (none here, or several; --pid PID)"]);
  });

  test("the files for a configuration with other times, and without systemd", (t) => {
    const settings = `{ "app": "app.ts:handler", "bind": "unix:/run/shop.sock", "gracefulTimeout": "3m", "drainDelay": "20s",
      "requestTimeout": "2m", "keepAlive": "20s", "limitRequestBody": "3MB", "bootTimeout": "5m" }`;
    const folder = projectOf(t, { ...SHOP, "tsgun.config.json": settings });
    assert.equal(initialise(folder, "nginx", "systemd", "kubernetes").status, 0);
    assert.deepEqual(report(folder).findings, []);
    const plain = projectOf(t, SHOP);
    assert.equal(initialise(plain, "config", "nginx").status, 0);
    assert.deepEqual(report(plain).findings, []);
  });

  test("the site of the README, with the words that start the server there", (t) => {
    const [, site = ""] = /```nginx\n(.*?)```/s.exec(readFileSync(join(ROOT, "README.md"), "utf8")) ?? [];
    const folder = projectOf(t, { ...SHOP, "site.conf": site });
    const words = ["app.ts:handler", "--bind", "unix:/run/app.sock", "--user", "www-data"];
    assert.deepEqual(report(folder, "--nginx", "site.conf", "--", ...words).findings, []);
  });

  test("examples/nginx, and the unit and configuration of docs/deploy.md", (t) => {
    assert.deepEqual(report(join(ROOT, "examples", "nginx"), "--nginx", "nginx.conf").findings, []);
    const blocks = [
      ...readFileSync(join(ROOT, "docs", "deploy.md"), "utf8").matchAll(/```(ts|ini)\n(.*?)```/gs),
    ];
    const block = (kind: string): string =>
      blocks.find(([, name]) => name === kind)?.[2] ?? assert.fail(kind);
    const folder = projectOf(t, { ...SHOP, "tsgun.config.ts": block("ts"), "app.service": block("ini") });
    assert.deepEqual(report(folder, "--systemd", "app.service").findings, []);
  });
});

describe("what doctor reads", () => {
  const unit = (...lines: string[]): string =>
    [
      "[Service]",
      "Type=notify",
      "NotifyAccess=all",
      "KillMode=mixed",
      "Restart=always",
      "ExecReload=x",
      ...lines,
    ].join("\n");

  test("the words and variables of a unit override the file", (t) => {
    const folder = projectOf(t, {
      ...SHOP,
      "tsgun.config.json": '{ "app": "app.ts:handler", "gracefulTimeout": "10s", "requestTimeout": "5s" }',
      "a.service": unit("ExecStart=/srv/shop/node_modules/.bin/tsgun --graceful-timeout 2m"),
      "b.service": unit(
        'Environment="TSGUN_GRACEFUL_TIMEOUT=2m"',
        "ExecStart=/srv/shop/node_modules/.bin/tsgun --config /no/where.ts",
      ),
      "c.service": unit("ExecStart=/srv/shop/node_modules/.bin/tsgun"),
      "d.service": "[Service]\nExecStart=/usr/bin/redis-server",
    });
    for (const file of ["a.service", "b.service"]) {
      const { findings, status } = report(folder, "--systemd", file);
      assert.deepEqual([findings.map(({ rule }) => rule), status], [["systemd-stop-timeout"], 1]);
      assert.match(findings[0]?.what ?? "", /graceful-timeout 120s/);
    }
    assert.deepEqual(report(folder, "--systemd", "c.service").findings, []);
    const { unchecked, findings } = report(folder, "--systemd", "d.service");
    assert.deepEqual(
      [findings, unchecked.includes("d.service (it does not appear to start tsgun)")],
      [[], true],
    );
    const wrong = examine(folder, "--systemd", "a.service", "--systemd", "c.service", "--pid", "x");
    assert.deepEqual([wrong.status, wrong.stderr], [2, "tsgun: --pid: x is not a process id\n"]);
  });

  test("who may write the files that the server trusts, and the folders of links to them", (t) => {
    const created = projectOf(t, {
      ...SHOP,
      "shared/real.json": '{ "app": "app.ts:handler" }',
      token: "x".repeat(20),
    });
    const folder = realpathSync(created);
    chmodSync(folder, 0o755);
    const file = join(folder, "shared", "real.json");
    symlinkSync(file, join(folder, "tsgun.config.json"));
    const found = (...words: string[]): string[] =>
      report(folder, ...words).findings.map(({ rule, where }) => `${rule} ${relative(folder, where)}`);
    chmodSync(file, 0o644);
    assert.deepEqual(found(), []);
    chmodSync(file, 0o646);
    assert.deepEqual(found(), ["file-open-to-all shared/real.json"]);
    chmodSync(file, 0o644);
    chmodSync(join(folder, "shared"), 0o777);
    assert.deepEqual(found(), ["file-open-to-all shared"]);
    chmodSync(join(folder, "shared"), 0o1777);
    assert.deepEqual(found(), []);
    if (process.getuid?.() !== 0) return;
    // As root others' files can be made: of a stranger, and of a group that is not root's own.
    chownSync(join(folder, "token"), 65_534, 0);
    chmodSync(join(folder, "token"), 0o644);
    chownSync(join(folder, "shared"), 0, 65_534);
    chmodSync(join(folder, "shared"), 0o775);
    assert.deepEqual(
      found("--", "app.ts:handler", "--admin-bind", "127.0.0.1:9000", "--admin-token-file", "token"),
      ["file-open-to-others shared", "file-open-to-others token", "file-secret-readable token"],
    );
  });

  test("a weak certificate, also where this Node refuses it, and that of the admin listener", {
    skip: missing("openssl"),
  }, (t) => {
    const folder = projectOf(t, SHOP);
    const authority = new TestAuthority(folder);
    authority.sign("weak", { key: ["rsa:1024"], hash: "sha1" });
    authority.sign("admin", { days: 20 });
    const tls = ["--certfile", "weak.pem", "--keyfile", "weak.key"];
    const admin = [
      "--admin-bind",
      "127.0.0.1:0",
      "--admin-certfile",
      "admin.pem",
      "--admin-keyfile",
      "admin.key",
    ];
    const { findings } = report(folder, "--", "app.ts:handler", ...tls, ...admin);
    const said = findings
      .filter(({ rule }) => rule !== "tls-unusable")
      .map(({ rule, where, what }) => [rule, basename(where), what]);
    assert.deepEqual(said.slice(0, 2), [
      ["tls-weak", "weak.pem", "the certificate (weak) has a key of RSA with 1024 bits, less than 2048"],
      ["tls-weak", "weak.pem", "the certificate (weak) is signed with SHA-1"],
    ]);
    assert.deepEqual(
      said.slice(2).map(([rule, file]) => [rule, file]),
      [["tls-ends-soon", "admin.pem"]],
    );
  });

  test("the words of a container; other containers are listed as not checked", (t) => {
    const folder = projectOf(t, SHOP);
    initialise(folder, "kubernetes");
    const manifest = readFileSync(join(folder, MANIFEST), "utf8");
    const change = (from: string | RegExp, to: string): string[] => {
      const text = manifest.replace(from, to);
      assert.notEqual(text, manifest);
      writeFileSync(join(folder, MANIFEST), text);
      return report(folder).rules;
    };
    assert.deepEqual(change('"--drain-delay", "5s"', '"--drain-delay", "25s"'), ["kubernetes-grace-period"]);
    assert.deepEqual(change('"0.0.0.0:9000"', '"127.0.0.1:9000"'), Array(3).fill("kubernetes-probe-nobody"));
    assert.deepEqual(change('"--bind", "0.0.0.0:8000", ', ""), ["kubernetes-bind-loopback"]);
    assert.deepEqual(change(/args: .*/, "args: [redis-server]"), []);
    assert.match(
      report(folder).unchecked.join(),
      /container shop at .*shop\.yaml:\d+ \(it does not appear to start tsgun/,
    );
  });

  test("the server's words after --, and the environment's variables", (t) => {
    const folder = projectOf(t, {
      ...SHOP,
      "site.conf": "location / { proxy_pass http://127.0.0.1:9123; }\n",
    });
    const named = (...words: string[]): boolean =>
      report(folder, "--nginx", "site.conf", ...words).rules.includes("nginx-nobody-there");
    assert.equal(named(), true);
    assert.equal(named("--", "app.ts", "--bind", "127.0.0.1:9123"), false);
    fillProject(join(folder, "other"), { "tsgun.config.json": '{ "bind": "127.0.0.1:9123" }' });
    assert.equal(named("--config", "other/tsgun.config.json"), false);
  });

  test("proxies of other servers are ignored", (t) => {
    const folder = projectOf(t, {
      ...SHOP,
      "site.conf":
        "location / { proxy_pass http://127.0.0.1:8000; }\nlocation /old { proxy_pass http://10.1.1.1; }\n",
    });
    const { findings, unchecked } = report(folder, "--nginx", "site.conf");
    assert.ok(findings.length > 0 && findings.every(({ where }) => where === "site.conf:1"));
    assert.ok(unchecked.includes("proxy_pass http://10.1.1.1 at site.conf:2 (apparently another server)"));
  });

  test("nginx files without a proxy_pass are listed as not checked", (t) => {
    const folder = projectOf(t, { ...SHOP, "site.conf": "server { listen 80; root /srv/www; }\n" });
    const { unchecked } = report(folder, "--nginx", "site.conf");
    assert.ok(unchecked.includes("how nginx reaches tsgun (no proxy_pass in site.conf)"), unchecked.join());
  });

  test("a server that runs in this folder, found by itself or by its pid", async (t) => {
    const folder = projectOf(t, SHOP);
    const words = ["app.ts:handler", "--bind", "unix:shop.sock", "--worker-connections", "10000000"];
    const server = startCommand(t, words, { cwd: folder });
    await server.ready();
    for (const which of [[], ["--pid", String(server.pid)]]) {
      const { status, stdout } = examine(folder, ...which, "--", ...words);
      assert.equal(status, 1);
      assert.match(
        stdout,
        new RegExp(`^error   the server \\(pid ${server.pid}\\)  \\[server-open-files\\]$`, "m"),
      );
      assert.match(stdout, new RegExp(`Checked: .*, the server with pid ${server.pid};`));
    }
    const moved = examine(
      folder,
      "--pid",
      String(server.pid),
      "--",
      "app.ts:handler",
      "--bind",
      "unix:other.sock",
    );
    assert.match(
      moved.stdout,
      /^warning the server .*\[server-elsewhere\]\n +it listens at unix:shop\.sock, not at unix:other\.sock \(bind\)$/m,
    );
    assert.equal(moved.status, 0);
    await server.end();
    assert.equal(examine(folder, "--pid", String(server.pid)).status, 2);
  });
});

describe("what doctor prints, and its exit code", () => {
  test("a block per finding, then the counts and what was checked", (t) => {
    const folder = projectOf(t, {
      ...SHOP,
      "a.service":
        "[Service]\nType=notify\nNotifyAccess=all\nRestart=always\nExecReload=x\nExecStart=/bin/tsgun\n",
    });
    const warned = examine(folder, "--systemd", "a.service");
    assert.equal(warned.status, 0, "warnings alone are no failure");
    assert.match(
      warned.stdout,
      /^warning a\.service:6 {2}\[systemd-kill-mode\]\n {8}systemd stops .*\n {8}breaks: .*\n {8}fix: {4}write KillMode=mixed.*\n\n/m,
    );
    assert.match(
      warned.stdout,
      /\nno errors, \d+ warnings?\. Checked: settings \(no configuration file\), a\.service, this machine; not checked: nginx \(--nginx FILE\), Kubernetes/,
    );
    const failed = examine(folder, "--systemd", "a.service", "--", "--show-errors");
    assert.equal(failed.status, 1);
    assert.match(failed.stdout, /^error {3}show-errors \(--show-errors\) {2}\[config-show-errors\]\n/);
  });

  test("an unreadable or invalid file is exit code 2, in one line with the file and the line", (t) => {
    const folder = projectOf(t, {
      ...SHOP,
      "broken.conf": "server {\n  location / {\n    proxy_pass http://a\n  }\n}\n",
      "broken.service": "[Service]\nExecStart\n",
      "quote.service": "[Service]\nExecStart=/bin/tsgun\nEnvironment='A\n",
      "typo.service": "[Service]\nExecStart=/bin/tsgun --wrokers 2\n",
      "broken.yaml": "kind: Pod\nspec: [\n",
      "wrong.json": '{ "wrokers": 2 }',
    });
    const cases: [words: string[], message: RegExp][] = [
      [["--nginx", "none.conf"], /^cannot read none\.conf: there is no such file$/],
      [["--nginx", "."], /^cannot read \.: it is a folder$/],
      [["--nginx", "broken.conf"], /^broken\.conf:3: proxy_pass is not terminated: a ; is missing$/],
      [["--systemd", "broken.service"], /^broken\.service:2: "ExecStart" is not Key=value$/],
      [["--systemd", "typo.service"], /^typo\.service:2: unknown option '--wrokers'/],
      [["--systemd", "quote.service"], /^quote\.service:2: the quote ' at character 1 is not terminated$/],
      [["--kubernetes", "broken.yaml"], /^broken\.yaml:\d: /],
      [["--config", "wrong.json"], /^there is no setting wrokers .*did you mean workers/],
      [["--ngnix", "x"], /^unknown option '--ngnix'.*\(see tsgun doctor --help\)$/],
      [["--control-socket", "none.ctl"], /^cannot reach the server at none\.ctl/],
    ];
    for (const [words, message] of cases) {
      const { status, stdout, stderr } = examine(folder, ...words);
      assert.deepEqual([status, stdout], [2, ""], stderr);
      assert.match(stderr.replace(/^tsgun: (.*)\n$/, "$1"), message);
    }
  });

  test("--help describes the inputs and the exit codes", (t) => {
    const { status, stdout } = examine(projectOf(t, SHOP), "--help");
    assert.equal(status, 0);
    assert.match(stdout, /--nginx <FILE>[\s\S]*Exit codes: 0 no errors, 1 errors, 2 /);
  });
});
