/** Where log lines go: files, pipes and what fails of them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { connect, createServer, Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LineSink, type LineSinkOptions } from "../../src/log/line-sink.ts";
import { cleanUp, temporaryFolder, until } from "../support/command.ts";

interface Stage {
  readonly sink: LineSink;
  readonly told: string[];
}

function open(target: LineSinkOptions["target"], backlog?: number): Stage {
  const told: string[] = [];
  const sink = new LineSink({
    target,
    name: "test log",
    onTrouble: (message) => told.push(message),
    ...(backlog === undefined ? {} : { backlog }),
  });
  return { sink, told };
}

function read(file: string): string {
  return readFileSync(file, "utf8");
}

/** A pipe in the file system, and a descriptor of its reading end that never waits. */
function pipe(context: TestContext): { path: string; reader: number } {
  const path = join(temporaryFolder(context), "pipe");
  execFileSync("mkfifo", [path]);
  return { path, reader: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) };
}

/** Two ends of a Unix socket; nothing is read of `reading` before it is asked for. */
async function socketPair(context: TestContext): Promise<{ writing: Socket; reading: Socket }> {
  const path = join(temporaryFolder(context), "log.sock");
  const server = createServer({ pauseOnConnect: true }).listen(path);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  // libuv opens no descriptor that it polls by another handle.
  const writing = connect(path).pause();
  const [[reading]] = await Promise.all([accepted, once(writing, "connect")]);
  cleanUp(context, () => {
    for (const end of [server.close(), writing, reading]) if (end instanceof Socket) end.destroy();
  });
  return { writing, reading };
}

function handleOf(socket: Socket): { readonly fd: number; setBlocking(blocking: boolean): void } {
  return (socket as unknown as { _handle: { fd: number; setBlocking(blocking: boolean): void } })._handle;
}

/** All that can be read at once. */
function drain(reader: number): string {
  const bytes = Buffer.alloc(1 << 20);
  let text = "";
  for (;;) {
    try {
      const length = readSync(reader, bytes);
      if (length === 0) return text;
      text += bytes.toString("latin1", 0, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return text;
      throw error;
    }
  }
}

/** As on a full disk: a write takes what there is room for, and the next one fails. */
function limitFiles(bytes: string): void {
  execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:`]);
}

test("a single line is written at the end of this turn, later ones in a batch", async (context) => {
  const file = join(temporaryFolder(context), "log");
  const { sink, told } = open(file);
  sink.write("one\n");
  assert.equal(read(file), "");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(read(file), "one\n");
  sink.write("two\n");
  sink.write("\xe9\n");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(read(file), "one\n");
  await until("they are written", () => readFileSync(file, "latin1") === "one\ntwo\n\xe9\n");
  assert.deepEqual(told, []);
});

test("a full batch is written at once, and the end writes the rest", (context) => {
  const file = join(temporaryFolder(context), "log");
  const { sink } = open(file);
  sink.write("first\n");
  const line = `${"x".repeat(999)}\n`;
  for (let count = 0; count < 40; count++) sink.write(line);
  assert.ok(read(file).length >= 32_000);
  sink.end();
  assert.equal(read(file), `first\n${line.repeat(40)}`);
  sink.write("behind the end\n");
  assert.ok(read(file).endsWith("behind the end\n"));
});

test("after a reopen earlier lines are in the old file, later ones in the new one", (context) => {
  const file = join(temporaryFolder(context), "log");
  const { sink, told } = open(file);
  sink.write("old 1\n");
  renameSync(file, `${file}.1`);
  sink.write("old 2\n");
  sink.reopen();
  sink.write("new\n");
  sink.end();
  assert.equal(read(`${file}.1`), "old 1\nold 2\n");
  assert.equal(read(file), "new\n");
  assert.deepEqual(told, []);
});

test("a reopen leaves a device behind that has lost its name, and keeps one that has not", (context) => {
  const file = join(temporaryFolder(context), "log");
  symlinkSync("/dev/full", file);
  const { sink, told } = open(file);
  sink.write("lost\n");
  sink.flush();
  sink.reopen();
  sink.write("lost as well\n");
  sink.flush();
  rmSync(file);
  sink.reopen();
  sink.write("kept\n");
  sink.end();
  assert.match(read(file), /kept\n$/);
  assert.equal(told[0], `The test log ${file} cannot be written (ENOSPC)`);
  assert.match(told[1] as string, /can be written again/);
});

test("after a reopen the new file has a partly written line in full", (context) => {
  const file = join(temporaryFolder(context), "log");
  const { sink, told } = open(file);
  const line = (number: number): string => `${number} ${"x".repeat(297)}\n`;
  for (let number = 0; number < 5; number++) sink.write(line(number));
  limitFiles("1000");
  try {
    sink.flush();
    assert.deepEqual(told, [`The test log ${file} cannot be written (EFBIG)`]);
    renameSync(file, `${file}.1`);
    sink.reopen();
  } finally {
    limitFiles("unlimited");
  }
  sink.end();
  assert.equal(read(`${file}.1`), `${line(0)}${line(1)}${line(2)}${line(3).slice(0, 100)}`);
  assert.equal(read(file), line(3) + line(4));
  assert.match(told[1] as string, /can be written again; lines dropped meanwhile: 0$/);
});

test("if the name cannot be reopened, the old file stays in use", (context) => {
  const folder = temporaryFolder(context);
  const inner = join(folder, "inner");
  execFileSync("mkdir", [inner]);
  const { sink, told } = open(join(inner, "log"));
  renameSync(inner, `${inner}.old`);
  sink.reopen();
  sink.write("kept\n");
  sink.end();
  assert.equal(read(join(`${inner}.old`, "log")), "kept\n");
  assert.equal(told.length, 1);
  assert.match(told[0] as string, /could not be reopened \(ENOENT.*\): still writing to the old file$/);
});

test("a full pipe blocks nothing: whole lines wait in a bounded backlog, the rest is dropped and counted", async (context) => {
  const { path, reader } = pipe(context);
  const { sink, told } = open(path, 200_000);
  const most = 5000;
  for (let number = 0; number < most; number++) sink.write(`${number} ${"x".repeat(190)}\n`);
  sink.flush();
  assert.deepEqual(told, [`The test log ${path} is not read as fast as it is written: lines are dropped`]);
  let text = "";
  await until("the pipe has been emptied", () => {
    text += drain(reader);
    return told.length === 2;
  });
  text += drain(reader);
  const numbers = text.split("\n").map((line) => Number.parseInt(line, 10));
  assert.ok(text.endsWith("x\n"));
  numbers.pop();
  assert.deepEqual(numbers, Array.from(numbers.keys()), "in order, each whole and once");
  assert.equal(
    told[1],
    `The test log ${path} can be written again; lines dropped meanwhile: ${most - numbers.length}`,
  );
  assert.ok(numbers.length < most);
  sink.write("after\n");
  sink.end();
  assert.equal(drain(reader), "after\n");
  closeSync(reader);
});

test("a full socket blocks nothing, and dropped lines are counted when it is read again", async (context) => {
  const { writing, reading } = await socketPair(context);
  // As a socket is that was inherited. A write that waits for its reader, which is this process, never ends.
  handleOf(writing).setBlocking(true);
  const { sink, told } = open(handleOf(writing).fd, 100_000);
  const most = 5000;
  for (let number = 0; number < most; number++) sink.write(`${number} ${"x".repeat(190)}\n`);
  sink.flush();
  assert.match(told[0] as string, /is not read as fast as it is written: lines are dropped$/);
  let text = "";
  reading.on("data", (bytes) => {
    text += bytes.toString("latin1");
  });
  reading.resume();
  await until("the socket has been emptied", () => told.length === 2);
  sink.write("after\n");
  sink.end();
  await until("the last line has come", () => text.endsWith("after\n"));
  const lines = text.split("\n").length - 2;
  assert.ok(lines < most);
  assert.match(
    told[1] as string,
    new RegExp(`can be written again; lines dropped meanwhile: ${most - lines}$`),
  );
});

test("the end does not wait for a pipe without an active reader", async (context) => {
  const { path, reader } = pipe(context);
  const { sink, told } = open(path);
  const stalls = (): number => {
    const start = performance.now();
    sink.end();
    return performance.now() - start;
  };
  for (let number = 0; number < 1000; number++) sink.write(`${"x".repeat(190)}\n`);
  sink.flush();
  const first = stalls();
  assert.ok(first > 500, "what may be read yet is waited for");
  assert.match(told.at(-1) as string, /lines lost at the end: \d+/);
  assert.ok(stalls() < first / 2);
  closeSync(reader);
});

test("a line longer than PIPE_BUF is written whole", async (context) => {
  const { path, reader } = pipe(context);
  const { sink } = open(path);
  const long = `${"y".repeat(150_000)}\n`;
  sink.write("short\n");
  sink.write(long);
  sink.write("last\n");
  sink.flush();
  let text = "";
  await until("all has come", () => {
    text += drain(reader);
    return text.endsWith("last\n");
  });
  assert.equal(text, `short\n${long}last\n`);
  closeSync(reader);
});

test("a pipe whose reader is gone is reported once, also at the end", (context) => {
  const { path, reader } = pipe(context);
  const { sink, told } = open(path);
  closeSync(reader);
  sink.write("one\n");
  sink.write("two\n");
  sink.flush();
  sink.flush();
  assert.deepEqual(told, [`The test log ${path} cannot be written (EPIPE)`]);
  sink.end();
  assert.equal(told[1], `The test log ${path} cannot be written (EPIPE); lines lost at the end: 2`);
});

test("a full disk: lines wait in a bounded backlog until there is room, or are counted at the end", (context) => {
  const file = join(temporaryFolder(context), "log");
  execFileSync("ln", ["-s", "/dev/full", file]);
  const told: string[] = [];
  let dropped = 0;
  const onDrop = (): void => {
    dropped += 1;
  };
  const onTrouble = (message: string): number => told.push(message);
  const sink = new LineSink({ target: file, name: "test log", onTrouble, onDrop, backlog: 1000 });
  for (let count = 0; count < 100; count++) {
    sink.write(`${"x".repeat(99)}\n`);
    if (count === 0) sink.flush();
  }
  assert.deepEqual(told, [`The test log ${file} cannot be written (ENOSPC)`]);
  sink.end();
  assert.equal(told[1], `The test log ${file} cannot be written (ENOSPC); lines lost at the end: 100`);
  assert.equal(dropped, 100, "lines that waited until the end are not among the dropped ones");
});

test("a pipe without a reader fails at once", (context) => {
  const { path, reader } = pipe(context);
  closeSync(reader);
  assert.throws(() => open(path), { code: "ENXIO" });
  rmSync(path);
});
