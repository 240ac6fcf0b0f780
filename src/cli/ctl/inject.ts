/** `tsgun ctl inject`: one request to one worker, without a connection. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import type { InjectReport } from "../../control/stats.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import { bytes, spacedDuration } from "../figures.ts";
import { choose, isJson, send, type Verb, wholeNumber } from "./verb.ts";

interface InjectOptions {
  readonly slot?: number;
  readonly worker?: number;
  readonly method?: string;
  readonly header?: readonly (readonly [string, string])[];
  readonly data?: string;
  readonly timeout?: number;
  readonly include?: boolean;
}

export const INJECT: Verb = {
  name: "inject",
  description: "have one worker answer a request, without a connection",
  define: (command) =>
    command
      .argument("<path>", "the path, with its query")
      .option("--slot <N>", "the worker in this slot", wholeNumber)
      .option("--worker <PID>", "the worker with this process id", wholeNumber)
      .option("--method <METHOD>", "GET by default, POST with -d")
      .option(
        "-H, --header <FIELD>",
        "a header field; can be given several times: -H 'accept: text/html'",
        fields,
      )
      .option("-d, --data <TEXT>", "the content; @FILE for that of a file")
      .option("-i, --include", "print the status and the header fields as well")
      .option("--timeout <SECONDS>", "how long the response may take; by default 30", wholeNumber),
  run: injectRequest,
};

/** Collects the values of `-H`. */
function fields(
  text: string,
  before: readonly (readonly [string, string])[] = [],
): (readonly [string, string])[] {
  const colon = text.indexOf(":");
  if (colon < 1) throw new InvalidArgumentError("expected a name, a colon and a value.");
  return [...before, [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]];
}

async function injectRequest(command: Command): Promise<void> {
  const options = command.opts<InjectOptions>();
  const server = await choose(command);
  const report = (await send(server, "POST", "/inject", {
    path: command.processedArgs[0] as string,
    method: options.method ?? (options.data === undefined ? "GET" : "POST"),
    headers: grouped(options.header ?? []),
    ...(options.data !== undefined && { body: contentOf(options.data), encoding: "base64" }),
    ...(options.slot !== undefined && { slot: options.slot }),
    ...(options.worker !== undefined && { pid: options.worker }),
    ...(options.timeout !== undefined && { timeout: options.timeout * 1000 }),
  })) as InjectReport;
  if (isJson(command)) console.log(JSON.stringify(report, undefined, 2));
  else print(report, options.include === true);
}

/** Names with all their values. */
function grouped(headers: NonNullable<InjectOptions["header"]>): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const [name, value] of headers) groups[name] = [...(groups[name] ?? []), value];
  return groups;
}

/** The content as base64. */
function contentOf(data: string): string {
  if (!data.startsWith("@")) return Buffer.from(data).toString("base64");
  try {
    return readFileSync(data.slice(1)).toString("base64");
  } catch (error) {
    throw new FatalError(`cannot read the content: ${(error as Error).message}`, ExitCode.failure);
  }
}

/** The content goes to standard output, byte by byte; what is said about it, to standard error. */
function print(report: InjectReport, withHead: boolean): void {
  const { pid, slot, status, headers, body, encoding, isCut } = report;
  const size = `${bytes(report.bytes)}${isCut ? ", of which only the beginning is shown" : ""}`;
  console.error(`worker ${pid} (slot ${slot}): ${status}, ${spacedDuration(report.duration)}, ${size}`);
  if (withHead)
    process.stdout.write(`${status}\n${headers.map(([name, value]) => `${name}: ${value}\n`).join("")}\n`);
  process.stdout.write(Buffer.from(body, encoding));
}
