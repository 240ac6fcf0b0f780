/** Lines that a full disk has cut off: each is repeated in full, and what another process writes begins a line of its own. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LineSink } from "../../src/log/line-sink.ts";
import { temporaryFolder, until } from "../support/command.ts";

function open(file: string): { readonly sink: LineSink; readonly told: string[] } {
  const told: string[] = [];
  const sink = new LineSink({ target: file, name: "test log", onTrouble: (message) => told.push(message) });
  return { sink, told };
}

/** As on a full disk: a write takes what there is room for, and the next one fails. */
function withRoomUpTo(bytes: number, use: () => void): void {
  const limit = (value: string): void => {
    execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${value}:`]);
  };
  limit(String(bytes));
  try {
    use();
  } finally {
    limit("unlimited");
  }
}

function line(number: number): string {
  return `${number} ${"x".repeat(97)}\n`;
}

const onLinux = {
  skip: process.platform === "linux" ? false : "run it on Linux, which has prlimit and /proc",
};

test("a line that was cut off is repeated in full after its fragment", onLinux, async (context) => {
  const file = join(temporaryFolder(context), "log");
  const { sink, told } = open(file);
  withRoomUpTo(250, () => {
    for (let number = 0; number < 4; number++) sink.write(line(number));
    sink.flush();
  });
  assert.equal(readFileSync(file, "utf8"), line(0) + line(1) + line(2).slice(0, 50));
  await until("there are all lines", () => readFileSync(file, "utf8").endsWith(line(3)));
  assert.equal(
    readFileSync(file, "utf8"),
    `${line(0)}${line(1)}${line(2).slice(0, 50)}\n${line(2)}${line(3)}`,
  );
  assert.deepEqual(told, [
    `The test log ${file} cannot be written (EFBIG)`,
    `The test log ${file} can be written again; lines dropped meanwhile: 0`,
  ]);
});

test("two writers that were cut off end each other's fragments", onLinux, (context) => {
  const file = join(temporaryFolder(context), "log");
  const [one, other] = [open(file).sink, open(file).sink];
  withRoomUpTo(150, () => {
    for (const sink of [one, other]) {
      sink.write(line(0));
      sink.write(line(1));
      sink.flush();
    }
  });
  for (const sink of [other, one]) sink.end();
  const [fragment, ...lines] = readFileSync(file, "utf8").slice(line(0).length).split("\n");
  assert.equal(fragment, line(1).slice(0, 50));
  assert.deepEqual(
    lines.map((each) => each.slice(0, 2)),
    ["0 ", "1 ", "1 ", ""],
  );
});

test(
  "a process that opens a log ends the fragment that a dead one has left, even without lines of its own",
  onLinux,
  async (context) => {
    const file = left(context, "whole\nhalf a li");
    const { sink, told } = open(file);
    await until("the fragment is ended", () => readFileSync(file, "utf8") === "whole\nhalf a li\n");
    sink.write("mine\n");
    sink.end();
    assert.equal(readFileSync(file, "utf8"), "whole\nhalf a li\nmine\n");
    assert.deepEqual(told, []);
  },
);

test("so does a line that comes before it was ended, and a reopened log", onLinux, (context) => {
  const file = left(context, "half");
  const { sink } = open(file);
  sink.write("mine\n");
  sink.flush();
  writeFileSync(`${file}.next`, "another half");
  execFileSync("mv", [`${file}.next`, file]);
  sink.reopen();
  sink.write("mine\n");
  sink.end();
  assert.equal(readFileSync(file, "utf8"), "another half\nmine\n");
});

test("whole lines and an empty file are left as they are", (context) => {
  for (const text of ["whole\n", ""]) {
    const file = left(context, text);
    const { sink } = open(file);
    sink.write("mine\n");
    sink.end();
    assert.equal(readFileSync(file, "utf8"), `${text}mine\n`);
  }
});

function left(context: TestContext, text: string): string {
  const file = join(temporaryFolder(context), "log");
  writeFileSync(file, text);
  return file;
}
