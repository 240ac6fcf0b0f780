/** Reading the files that `tsgun doctor` looks at: what they mean, and the line of what is wrong in them. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { parsePods } from "../../../src/deploy/doctor/kubernetes-pods.ts";
import { readNginx } from "../../../src/deploy/doctor/nginx-files.ts";
import { fieldsOf, nginxSetup } from "../../../src/deploy/doctor/nginx-sites.ts";
import { type Directive, parseNginx } from "../../../src/deploy/doctor/nginx-syntax.ts";
import { nginxSize, nginxTime } from "../../../src/deploy/doctor/nginx-values.ts";
import { parseUnit } from "../../../src/deploy/doctor/systemd-syntax.ts";
import { readUnit, timeSpan } from "../../../src/deploy/doctor/systemd-unit.ts";
import { temporaryFolder } from "../../support/command.ts";

function folderOf(context: TestContext, files: Record<string, string>): string {
  const folder = temporaryFolder(context);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

describe("nginx", () => {
  const words = (text: string): (readonly string[])[] =>
    parseNginx(text, "a").map(({ name, args }) => [name, ...args]);

  test("words, quotes, comments, variables in braces", () => {
    assert.deepEqual(words(`a b; # c;\n"d e" 'f "g;' h\\;i;j "k\\"l" $\{m}n$\{o}{}`), [
      ["a", "b"],
      ["d e", 'f "g;', "h;i"],
      ["j", 'k"l', `$\{m}n$\{o}`],
    ]);
    assert.deepEqual(words("location ~ \\.(a|b)$ { x y#z; }\na_by_lua_block { if x then { } end; }\nb;"), [
      ["location", "~", "\\.(a|b)$"],
      ["a_by_lua_block"],
      ["b"],
    ]);
    assert.deepEqual(words(""), []);
  });

  test("lines", () => {
    const [first, second] = parseNginx('a "x\ny" {\n\n  b;\n}\nc;', "f") as [Directive, Directive];
    assert.deepEqual(
      [first.place, first.block?.[0]?.place.line, second.place.line],
      [{ file: "f", line: 1 }, 4, 6],
    );
  });

  const broken: [text: string, message: string][] = [
    ["http {\n  a;\n", "f:1: this block is not closed: a } is missing"],
    ["a;\n}\n", "f:2: unexpected }"],
    ["a;\n;\n", "f:2: unexpected ;"],
    ["http {\n  a b\n}\n", "f:2: a is not terminated: a ; is missing"],
    ['a;\nb "c;\n', 'f:2: the quote " is not terminated'],
    ["a_by_lua_block {\n{ }", "f:1: this block is not closed: a } is missing"],
  ];
  for (const [text, message] of broken) {
    test(message, () =>
      assert.throws(() => parseNginx(text, "f"), { name: "FatalError", message, exitCode: 2 }),
    );
  }

  test("includes are expanded in place: relative to the named file, by masks, in order", (context) => {
    const folder = folderOf(context, {
      "nginx.conf":
        "include missing.conf;\nhttp { include sites/*.conf; include none/*; include snippets/fields.conf; }\n",
      "sites/b.conf": "b;",
      "sites/a.conf": "include snippets/fields.conf;\na;",
      "sites/c.txt": "c;",
      "snippets/fields.conf": "f;",
    });
    const file = join(folder, "nginx.conf");
    const { directives, missing } = readNginx(file);
    assert.deepEqual(
      directives[0]?.block?.map(({ name, place }) => [name, place.file.slice(folder.length)]),
      [
        ["f", "/snippets/fields.conf"],
        ["a", "/sites/a.conf"],
        ["b", "/sites/b.conf"],
        ["f", "/snippets/fields.conf"],
      ],
    );
    assert.deepEqual(missing, [`${file}:1: missing.conf`]);
  });

  test("a cycle of includes is an error", (context) => {
    const file = join(folderOf(context, { "a.conf": "include a.conf;" }), "a.conf");
    assert.throws(() => readNginx(file), {
      message: `${file}:1: includes form a cycle`,
      exitCode: 2,
    });
  });

  test("fields come from the innermost block that sets any", () => {
    const text = `proxy_set_header Host a;
      server { location / { proxy_pass http://x; location /y { proxy_set_header X-Y "z z"; proxy_pass http://[::1]:9/p; } } }`;
    const { proxyPasses, user } = nginxSetup([parseNginx(text, "f"), parseNginx("user nginx web;", "g")]);
    assert.deepEqual(
      proxyPasses.map((proxyPass) => [proxyPass.location, proxyPass.servers, [...fieldsOf(proxyPass)]]),
      [
        ["location /", [{ kind: "tcp", host: "x", port: 80 }], [["host", "a"]]],
        ["location /y", [{ kind: "tcp", host: "::1", port: 9 }], [["x-y", "z z"]]],
      ],
    );
    assert.deepEqual(user, ["nginx", "web"]);
  });

  test("times and sizes", () => {
    assert.deepEqual(["60", "1m30s", "500ms", "1h", "2d", "$x", "", "1x"].map(nginxTime), [
      60_000,
      90_000,
      500,
      3_600_000,
      172_800_000,
      undefined,
      undefined,
      undefined,
    ]);
    assert.deepEqual(["0", "8k", "10M", "1g", "1t", "$x"].map(nginxSize), [
      0,
      8192,
      10_485_760,
      1024 ** 3,
      undefined,
      undefined,
    ]);
  });
});

describe("systemd", () => {
  test("continued lines, comments between them, and empty values that reset a key", () => {
    const text = "# a\n[Unit]\nA=1\n; b\n[Service]\nExecStart = x \\\n# c\n  y \\\n  z\nA=2\n";
    assert.deepEqual(
      parseUnit(text, "f").map(({ section, key, value, place }) => [section, key, value, place.line]),
      [
        ["Unit", "A", "1", 3],
        ["Service", "ExecStart", "x y z", 6],
        ["Service", "A", "2", 10],
      ],
    );
    assert.throws(() => parseUnit("[A]\nb\n", "f"), { message: 'f:2: "b" is not Key=value', exitCode: 2 });
    assert.throws(() => parseUnit("b=c\n", "f"), { message: "f:1: b comes before the first [Section]" });
  });

  test("drop-ins follow the unit, in order", (context) => {
    const folder = folderOf(context, {
      "a.service": "[Service]\nExecStart=one\nEnvironment=A=1\nEnvironment=B=1\nTimeoutStopSec=5",
      "a.service.d/20.conf": "[Service]\nTimeoutStopSec=7\n",
      "a.service.d/10.conf":
        "[Service]\nTimeoutStopSec=6\nEnvironment=\nEnvironment=C=1\nExecStart=\nExecStart=-/bin/tsgun x\n",
    });
    const unit = readUnit(join(folder, "a.service"));
    assert.deepEqual(
      [unit.command, unit.isTsgun, unit.time("Service", "TimeoutStopSec", 0)],
      ["/bin/tsgun x", true, 7000],
    );
    assert.deepEqual(
      unit.all("Service", "Environment").map(({ value }) => value),
      ["C=1"],
    );
    assert.equal(unit.where("Service", "TimeoutStopSec"), `${folder}/a.service.d/20.conf:2`);
    assert.equal(unit.where("Service", "Type"), `${folder}/a.service`);
  });

  test("times", () => {
    assert.deepEqual(
      ["90", "1min 30s", "2h", "500ms", "1.5s", "infinity", "soon", "5 parsecs"].map(timeSpan),
      [90_000, 90_000, 7_200_000, 500, 1500, Number.POSITIVE_INFINITY, undefined, undefined],
    );
  });
});

describe("Kubernetes", () => {
  test("pods of all kinds of objects, with anchors", async () => {
    const spec = "containers: [{ name: a }]";
    const text = [
      `kind: Pod\nmetadata: { name: p }\nspec: { ${spec} }`,
      `kind: CronJob\nspec: { jobTemplate: { spec: { template: { spec: { ${spec} } } } } }`,
      `kind: List\nitems:\n  - kind: Deployment\n    spec: { template: { spec: { ${spec} } } }\n  - kind: Service\n    spec: {}`,
      "kind: Pod\nx: &words [tsgun, --workers, 4]\nspec: { containers: [{ name: b, args: *words }] }",
    ].join("\n---\n");
    const pods = await parsePods(text, "f");
    assert.deepEqual(
      pods.map(({ name, place, containers }) => [name, place.line, containers[0]?.name]),
      [
        ["p", 3, "a"],
        ["pod", 6, "a"],
        ["pod", 11, "a"],
        ["pod", 17, "b"],
      ],
    );
    assert.deepEqual(pods[3]?.containers[0]?.words, ["tsgun", "--workers", "4"]);
  });

  test("a YAML error is reported with its line", async () => {
    await assert.rejects(parsePods("a: 1\nb: [1,\n", "f"), (error: Error) =>
      /^f:\d: .*\]/.test(error.message),
    );
    await assert.rejects(parsePods("a: 1\n b: 2\n", "f"), { exitCode: 2 });
  });
});
