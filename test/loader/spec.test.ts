import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ExitCode, FatalError } from "../../src/errors.ts";
import { parseAppSpec } from "../../src/loader/spec.ts";

function parts(text: string): [string, string | undefined, unknown] {
  const { module, path, args } = parseAppSpec(text);
  return [module, path?.join("."), args];
}

describe("an app spec is parsed", () => {
  const cases: [string, [string, string | undefined, unknown]][] = [
    ["app", ["app", undefined, undefined]],
    [" app:handler ", ["app", "handler", undefined]],
    ["app:default", ["app", "default", undefined]],
    ["path/to/file.ts:name", ["path/to/file.ts", "name", undefined]],
    ["./my app.mjs:app", ["./my app.mjs", "app", undefined]],
    ["@scope/package/sub.path:api.v1.$serve_", ["@scope/package/sub.path", "api.v1.$serve_", undefined]],
    ["app:größe", ["app", "größe", undefined]],
    ["app:create()", ["app", "create", []]],
    ["app:make.it( )", ["app", "make.it", []]],
    ['app:create("production")', ["app", "create", ["production"]]],
    [`app:create('it''s')`.replace("''", "\\'"), ["app", "create", ["it's"]]],
    [`app:create("a:b(c)", 'd"e')`, ["app", "create", ["a:b(c)", 'd"e']]],
    ["app:create(2, -1.5, +3, .5, 1e3)", ["app", "create", [2, -1.5, 3, 0.5, 1000]]],
    ["app:create(true,false,null)", ["app", "create", [true, false, null]]],
    [
      `app:create([1, ["two"], []], {"a": {"b": []}, 'c': 1, "d": {}})`,
      ["app", "create", [[1, ["two"], []], { a: { b: [] }, c: 1, d: {} }]],
    ],
    [String.raw`app:create("\u00e9\n\"\\\/")`, ["app", "create", ['é\n"\\/']]],
  ];
  for (const [text, expected] of cases) {
    test(text, () => assert.deepEqual(parts(text), expected));
  }

  test("the key __proto__ does not change the prototype", () => {
    const value = parseAppSpec('app:create({"__proto__": {"polluted": true}})').args?.[0] as object;
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.deepEqual(Object.keys(value), ["__proto__"]);
  });
});

describe("a malformed app spec is refused in one line that says why", () => {
  const cases: [string, RegExp][] = [
    ["", /it is empty/],
    ["  ", /it is empty/],
    [":handler", /there is no module before the colon/],
    ["app:", /there is no name after the colon/],
    ["app: ", /there is no name after the colon/],
    ["app()", /a factory call needs a name/],
    ["https://example.org/app.js:handler", /it is a URL/],
    ["app:a b", /"a b" is not a name/],
    ["app:1st", /"1st" is not a name/],
    ["app:a:b", /"a:b" is not a name/],
    ["app:a..b", /"a\.\.b" has an empty part between its dots/],
    ["app:(1)", /there is no name before the parenthesis/],
    ["app:create(1", /does not end with a closing parenthesis/],
    ["app:create(1).app", /does not end with a closing parenthesis/],
    ["app:create(production)", /production is not a literal .*quote a string/],
    ["app:create(process.exit())", /process is not a literal/],
    ["app:create(undefined)", /undefined is not a literal/],
    ["app:create(1,)", /a value is missing, at character 3 of the arguments/],
    ["app:create(,1)", /unexpected ,, at character 1/],
    ["app:create(1 2)", /unexpected 2, at character 3/],
    ["app:create([1)", /expected \] but found the end/],
    ["app:create({a: 1})", /object keys must be quoted strings/],
    ['app:create({"a" 1})', /expected : but found 1/],
    ['app:create("a)', /a string is not terminated, at character 1/],
    [String.raw`app:create("\u12")`, /\\u must be followed by four hexadecimal digits/],
    ["app:create(`a`)", /unexpected `/],
    ["app:create(f())", /f is not a literal/],
  ];
  for (const [text, reason] of cases) {
    test(JSON.stringify(text), () => {
      assert.throws(
        () => parseAppSpec(text),
        (error) => {
          assert.ok(error instanceof FatalError);
          assert.equal(error.exitCode, ExitCode.appLoad);
          assert.match(error.message, reason);
          assert.doesNotMatch(error.message, /\n/);
          assert.ok(error.message.startsWith(`malformed app ${JSON.stringify(text)}: `), error.message);
          return true;
        },
      );
    });
  }
});
