import assert from "node:assert/strict";
import { test } from "node:test";
import { ExitCode, FatalError } from "../../src/errors.ts";
import { describeBootError, StartupError } from "../../src/worker/boot-error.ts";

test("a loader error keeps its message, and has no stack if the app has none", () => {
  const { failure, exitCode } = describeBootError(new FatalError("there is no app.ts", ExitCode.appLoad));
  assert.deepEqual(failure, { kind: "load", message: "there is no app.ts" });
  assert.equal(exitCode, ExitCode.appLoad);
});

test("the app's own error includes its stack", () => {
  const { failure } = describeBootError(
    new FatalError("app.ts failed", ExitCode.appLoad, { cause: new TypeError("no") }),
  );
  assert.match(failure.stack ?? "", /^TypeError: no\n {4}at .*boot-error\.test/);
});

test("a failed startup is one line, whatever was thrown", () => {
  const { failure, exitCode } = describeBootError(new StartupError(new Error("first\nsecond")));
  assert.equal(failure.message, "the app's startup failed: Error: first");
  assert.equal(failure.kind, "startup");
  assert.equal(exitCode, ExitCode.workerBoot);
  assert.equal(describeBootError(new StartupError("text")).failure.message, "the app's startup failed: text");
});

test("any other error is a failed boot of the worker", () => {
  const { failure, exitCode } = describeBootError(new RangeError("out"));
  assert.equal(failure.message, "the worker failed to boot: RangeError: out");
  assert.equal(exitCode, ExitCode.workerBoot);
});
