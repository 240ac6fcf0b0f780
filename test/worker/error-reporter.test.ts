/** The lines of failed requests: all of the app's faults, and few of what clients can cause at will. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyError, ClientGone } from "../../src/errors.ts";
import { acceptErrorReporter, errorReporter } from "../../src/worker/error-reporter.ts";

const REQUEST = { method: "POST", target: "/upload", id: "1" };

function reporter() {
  const lines: string[] = [];
  const clock = { now: 0 };
  const at =
    (level: string) =>
    (message: string): void =>
      void lines.push(`${level} ${message.replace("of request POST /upload (1)", "…")}`);
  const log = { level: "info", debug: at("debug"), warning: at("warning"), error: at("error") } as const;
  const report = errorReporter(log, () => clock.now);
  return { lines, clock, tell: (error: Error) => report(error, REQUEST) };
}

test("each status of broken content has a line a minute, with the number of suppressed ones", () => {
  const { lines, clock, tell } = reporter();
  const late = (): void => tell(new BodyError(408, "late"));
  for (let count = 0; count < 3; count += 1) late();
  tell(new BodyError(400, "broken"));
  assert.deepEqual(lines, [
    "warning Invalid content …: late",
    "debug Invalid content …: late",
    "debug Invalid content …: late",
    "warning Invalid content …: broken",
  ]);
  clock.now = 60_000;
  late();
  assert.equal(lines.at(-1), "warning Invalid content …: late (2 more since the last such line)");
  clock.now = 120_000;
  late();
  assert.equal(lines.at(-1), "warning Invalid content …: late");
});

test("content whose client has gone takes no line from the others", () => {
  const { lines, tell } = reporter();
  tell(new BodyError(400, "gone", { cause: new ClientGone() }));
  tell(new BodyError(400, "broken"));
  assert.deepEqual(lines, ["debug Invalid content …: gone", "warning Invalid content …: broken"]);
});

test("each fault of the app has its line", () => {
  const { lines, tell } = reporter();
  for (let count = 0; count < 3; count += 1) tell(new Error("fault"));
  assert.equal(lines.filter((line) => line.startsWith("error ")).length, 3);
});

test("connections that cannot be accepted have a line a minute, and are all counted", () => {
  const lines: string[] = [];
  let counted = 0;
  let now = 0;
  const connectionFailed = (): void => {
    counted += 1;
  };
  const meter = { connectionFailed };
  const report = acceptErrorReporter(
    { error: (message: string) => void lines.push(message) },
    meter,
    () => now,
  );
  for (let count = 0; count < 3; count += 1) report(new Error("accept ENOBUFS"));
  now = 60_000;
  report(new Error("accept ENOBUFS"));
  assert.equal(counted, 4);
  assert.deepEqual(lines, [
    "A connection could not be accepted",
    "A connection could not be accepted (2 more since the last such line)",
  ]);
});
