/** The commands that look into a running worker. */
import { createInterface } from "node:readline/promises";
import { type Command, InvalidArgumentError } from "commander";
import { requestControl } from "../../control/control-client.ts";
import { download, NewFile } from "../../control/download.ts";
import {
  type HeapCost,
  PROFILE_SECONDS,
  type StackReport,
  TRACE_MINUTES,
  type TraceReport,
} from "../../control/examination.ts";
import type { AnsweringServer } from "../../control/running-servers.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { printable } from "../../ipc/stall-report.ts";
import { describeServer } from "../server-choice.ts";
import { describeCost, describeStack, examinationFile, formatSize, formatTrace } from "./examination-text.ts";
import { choose, isJson, refusal, type Verb, wholeNumber } from "./verb.ts";

/** How long `stack` waits for a native call to return, if not told otherwise. */
const DEFAULT_WAIT_SECONDS = 30;

export const EXAMINATIONS: readonly Verb[] = [
  {
    name: "stack",
    description: "show what a worker does now: its JavaScript stack, also while it blocks",
    define: (command) =>
      withPid(command).option(
        "--wait <SECONDS>",
        "how long to wait for native code to return",
        wholeNumber,
        DEFAULT_WAIT_SECONDS,
      ),
    run: showStack,
  },
  {
    name: "profile",
    description: "take a CPU profile of a worker, for DevTools or speedscope",
    define: (command) =>
      withOutput(withPid(command)).option(
        "--seconds <N>",
        `${PROFILE_SECONDS.least} to ${PROFILE_SECONDS.most}`,
        within(PROFILE_SECONDS),
        PROFILE_SECONDS.default,
      ),
    run: takeProfile,
  },
  {
    name: "heap",
    description: "write a snapshot of a worker's heap to a file; the worker stands still meanwhile",
    define: (command) => withOutput(withPid(command)).option("--yes", "do not ask"),
    run: takeHeap,
  },
  {
    name: "trace",
    description: "show the slowest requests of the last minutes",
    define: (command) =>
      command.option(
        "--minutes <N>",
        `${TRACE_MINUTES.least} to ${TRACE_MINUTES.most}`,
        within(TRACE_MINUTES),
        TRACE_MINUTES.default,
      ),
    run: async (command) => {
      const { minutes } = command.opts<{ minutes: number }>();
      const report = await ask<TraceReport>(await choose(command), `/trace?minutes=${minutes}`);
      print(command, report, formatTrace);
    },
  },
];

function withPid(command: Command): Command {
  return command.argument("<pid>", "the worker's process id", wholeNumber);
}

function withOutput(command: Command): Command {
  return command.option("-o, --output <FILE>", "the file to make; by default tsgun-PID-TIME in this folder");
}

function within({ least, most }: { least: number; most: number }): (text: string) => number {
  return (text) => {
    const value = wholeNumber(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`);
  };
}

function pidOf(command: Command): number {
  return command.processedArgs[0] as number;
}

function print<T>(command: Command, report: T, format: (report: T) => string): void {
  console.log(isJson(command) ? JSON.stringify(report, undefined, 2) : format(report));
}

/** Requests a report. @throws FatalError with the server's reason */
async function ask<T>(server: AnsweringServer, path: string): Promise<T> {
  const { status, body } = await requestControl(server.controlSocket, "GET", path);
  if (status === 200) return body as T;
  throw refusal(server, status, body, path);
}

async function showStack(command: Command): Promise<void> {
  const server = await choose(command);
  const path = `/workers/${pidOf(command)}/stack`;
  const { wait } = command.opts<{ wait: number }>();
  const first = await ask<StackReport>(server, path);
  if (first.doing !== "native" || wait === 0) {
    print(command, first, describeStack);
    return;
  }
  if (!isJson(command)) console.error(`${describeStack(first)}\nwaiting ${wait}s for it to return`);
  const later = await ask<StackReport>(server, `${path}?wait=${wait}`);
  print(command, later, describeStack);
}

async function takeProfile(command: Command): Promise<void> {
  const server = await choose(command);
  const pid = pidOf(command);
  const { seconds } = command.opts<{ seconds: number }>();
  const file = await save(command, server, {
    doing: `profiling worker ${pid} of ${describeServer(server)} for ${seconds}s`,
    path: `/workers/${pid}/profile`,
    body: { seconds },
    extension: "cpuprofile",
  });
  report(command, file, `open it with: npx speedscope ${file.path}`);
}

async function takeHeap(command: Command): Promise<void> {
  const server = await choose(command);
  const pid = pidOf(command);
  const path = `/workers/${pid}/heap`;
  const cost = await ask<HeapCost>(server, path);
  await confirm(command, cost);
  const doing = `taking the heap of worker ${pid} of ${describeServer(server)}`;
  const file = await save(command, server, { doing, path, body: {}, extension: "heapsnapshot" });
  report(
    command,
    file,
    "load it in Chrome's DevTools, Memory; it holds all that the worker has in memory, secrets too",
  );
}

/** @throws FatalError unless the user wants to pay the price */
async function confirm(command: Command, cost: HeapCost): Promise<void> {
  const price = describeCost(cost);
  const { yes = false } = command.opts<{ yes?: boolean }>();
  if (yes) {
    if (!isJson(command)) console.error(price);
    return;
  }
  if (!process.stdin.isTTY) throw new FatalError(`${price}; confirm it with --yes`, ExitCode.usage);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`${price}\nTake it? (y/n) `).finally(() => prompt.close());
  if (!/^y(es)?$/i.test(answer.trim())) throw new FatalError("no snapshot was taken", ExitCode.failure);
}

interface Content {
  readonly doing: string;
  readonly path: string;
  readonly body: unknown;
  readonly extension: string;
}

/** Writes what the server sends to the file that the command names, or to one with a name of its own. */
async function save(command: Command, server: AnsweringServer, content: Content): Promise<NewFile> {
  const { output } = command.opts<{ output?: string }>();
  const file = new NewFile(output ?? examinationFile(pidOf(command), content.extension, new Date()));
  try {
    if (!isJson(command)) console.error(content.doing);
    const refused = await download(server.controlSocket, content.path, content.body, file);
    if (refused !== undefined) throw refusal(server, refused.status, refused.body, content.path);
    file.finish();
    return file;
  } catch (error) {
    file.discard();
    throw error;
  }
}

function report(command: Command, { path, bytes }: NewFile, hint: string): void {
  if (isJson(command)) console.log(JSON.stringify({ ok: true, file: path, bytes }, undefined, 2));
  else console.log(`${printable(path)} (${formatSize(bytes)})\n${printable(hint)}`);
}
