/** `tsgun why`: tells why a worker ended, from the folder of records. The server need not run. */
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { processName } from "../config/process-title.ts";
import { ExitCode, FatalError } from "../errors.ts";
import type { DeathRecord } from "../records/death-record.ts";
import { readReports } from "../records/death-report.ts";
import { listRecords, type RecordEntry, readRecord, serverKey } from "../records/record-folder.ts";
import { checkRecordFolder, recordFolders } from "../records/record-path.ts";
import { tellDeath } from "../records/story.ts";
import { wordsInEnvironment } from "./command-line.ts";
import { ConfigurationReader } from "./configuration.ts";
import { usageError } from "./explained-words.ts";
import { formatAge, formatTable } from "./table.ts";

interface WhyOptions {
  readonly json?: boolean;
  readonly list?: boolean;
  readonly all?: boolean;
  readonly name?: string;
  readonly config?: string;
  readonly recordDir?: string;
}

/** How many deaths a list or an error names. */
const MAX_LISTED = 50;
const MAX_NAMED = 5;

export function whyCommand(): Command {
  return new Command("tsgun why")
    .description("Tells why a worker ended: the last one that ended unasked, or the one with this pid.")
    .argument("[worker]", "A worker's pid, or last.", "last")
    .option("-l, --list", "List the workers that have ended unasked.")
    .option("-a, --all", "List those that ended as they were told to as well.")
    .option("--json", "Print the whole record as JSON, or the list.")
    .option("-n, --name <NAME>", "Only the server with this name.")
    .option("-c, --config <FILE>", "Only the server with this configuration file.")
    .option("--record-dir <DIR>", "The folder of the records, where the server was given one.")
    .helpOption("-h, --help", "Print this help.")
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
}

/** Runs `tsgun why` with its arguments. @throws FatalError with one line */
export async function runWhy(args: readonly string[]): Promise<ExitCode> {
  const program = whyCommand();
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return ExitCode.ok;
    throw usageError(error, "tsgun why --help");
  }
  const [worker] = program.processedArgs as [string];
  const options = program.opts<WhyOptions>();
  if (worker !== "last" && !/^\d+$/.test(worker))
    throw new FatalError(`${worker} is not a pid: write tsgun why PID, or tsgun why last`, ExitCode.usage);
  const places = await placesOf(options);
  const entries = places.folders
    .flatMap((folder) => listRecords(folder))
    .filter(({ server }) => places.name === undefined || server === serverKey(places.name))
    .sort((a, b) => (a.time < b.time ? 1 : -1));
  if (options.list || options.all) return await printList(entries, options);
  return worker === "last"
    ? await tellLast(entries, options, places)
    : await tellOf(Number(worker), entries, options);
}

interface Places {
  readonly folders: readonly string[];
  /** Only records of this server; undefined for all. */
  readonly name: string | undefined;
}

/** Where to look: the folder that is named, else the one of the configuration, else all by default. */
async function placesOf({ recordDir, config, name }: WhyOptions): Promise<Places> {
  if (recordDir !== undefined) return { folders: [readable(resolve(recordDir))], name };
  const given = config === undefined ? {} : { config };
  const layers = [...(await wordsInEnvironment(process.env)), { values: given, origin: () => "--config" }];
  const read = await new ConfigurationReader(layers).read().catch((error: Error) => {
    if (config !== undefined) throw error;
    return undefined;
  });
  const ofFile = config === undefined || read === undefined ? undefined : processName(read.config);
  const { recordDir: set, chdir = "." } = read?.config ?? {};
  if (set === false)
    throw new FatalError("the configuration says no-record-dir: no records are kept", ExitCode.failure);
  if (set !== undefined) return { folders: [readable(resolve(chdir, set))], name: name ?? ofFile };
  const wanted = name ?? ofFile;
  const folders = recordFolders(process.env, wanted === undefined ? [] : [wanted]);
  return { folders: folders.filter(isSafe), name: wanted };
}

/** @throws FatalError if the folder cannot be read */
function readable(folder: string): string {
  try {
    readdirSync(folder);
    return folder;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT")
      throw new FatalError(
        `${folder} does not exist: no worker has ended yet, or the server keeps its records elsewhere`,
        ExitCode.failure,
      );
    const why =
      code === "EACCES" ? `no permission to read ${folder}: run this as the server's user` : message;
    throw new FatalError(why, ExitCode.failure);
  }
}

/** Leaves out a folder in the temporary folder that another user has put there. */
function isSafe(folder: string): boolean {
  try {
    checkRecordFolder(folder);
    return true;
  } catch {
    // Root may look at the records of any user.
    return process.getuid?.() === 0 && !folder.startsWith("/tmp/");
  }
}

async function tellLast(
  entries: readonly RecordEntry[],
  options: WhyOptions,
  { folders }: Places,
): Promise<ExitCode> {
  for (const entry of entries) {
    if (entry.kind === "ordered") continue;
    const record = await readRecord(entry);
    if (record !== undefined) return print(record, options);
  }
  const unrecorded = await unrecordedServers();
  console.error(`no worker has ended unasked: there is no such record in ${folders.join(", ")}${unrecorded}`);
  return ExitCode.ok;
}

async function tellOf(pid: number, entries: readonly RecordEntry[], options: WhyOptions): Promise<ExitCode> {
  for (const entry of entries) {
    if (entry.pid !== pid) continue;
    const record = await readRecord(entry);
    if (record !== undefined) return print(record, options);
  }
  const server = await livingServerOf(pid);
  if (server !== undefined) {
    const advice = `tsgun ctl stack ${pid} shows what it does`;
    throw new FatalError(`worker ${pid} of ${server} has not ended: ${advice}`, ExitCode.failure);
  }
  const known = entries
    .filter(({ kind }) => kind !== "ordered")
    .slice(0, MAX_NAMED)
    .map((entry) => `${entry.pid} of ${entry.server} (${ageOf(entry)} ago)`);
  const rest =
    known.length === 0
      ? "no worker has ended unasked"
      : `there are ${known.join(", ")}; see tsgun why --list`;
  throw new FatalError(
    `there is no record of a worker with the pid ${pid}: ${rest}${await unrecordedServers()}`,
    ExitCode.failure,
  );
}

/** Names the running servers of this user that keep no records, to continue a sentence; empty if there are none. */
async function unrecordedServers(): Promise<string> {
  const { answers, runningServers } = await import("../control/running-servers.ts");
  const { requestControl } = await import("../control/control-client.ts");
  const names = await Promise.all(
    (await runningServers()).map(async (server) => {
      if (!answers(server)) return [];
      const { controlSocket, pid, status } = server;
      const reply = await requestControl(controlSocket, "GET", "/deaths").catch(() => undefined);
      return reply?.status === 404 ? [`${status.name} (pid ${pid})`] : [];
    }),
  );
  const all = names.flat();
  return all.length === 0 ? "" : `; no records are kept, because of --no-record-dir, by ${all.join(", ")}`;
}

/** The name of the running server that has this worker; undefined if there is none. */
async function livingServerOf(pid: number): Promise<string | undefined> {
  const { answers, runningServers } = await import("../control/running-servers.ts");
  const { requestControl } = await import("../control/control-client.ts");
  for (const server of await runningServers()) {
    if (!answers(server)) continue;
    const { body } = await requestControl(server.controlSocket, "GET", "/workers").catch(() => ({
      body: [],
    }));
    if (Array.isArray(body) && body.some((worker) => worker?.pid === pid)) return server.status.name;
  }
  return undefined;
}

function print(record: DeathRecord, { json }: WhyOptions): ExitCode {
  console.log(json ? JSON.stringify(record, undefined, 2) : tellDeath(record).join("\n"));
  return ExitCode.ok;
}

async function printList(entries: readonly RecordEntry[], { json, all }: WhyOptions): Promise<ExitCode> {
  const shown = entries.filter(({ kind }) => all || kind !== "ordered").slice(0, MAX_LISTED);
  const deaths = await readReports(shown);
  if (json) console.log(JSON.stringify(deaths, undefined, 2));
  else if (deaths.length === 0) console.error("no worker has ended unasked");
  else {
    const rows = deaths.map(({ time, pid, server, slot, generation, reason, headline }) => [
      `${ageOf({ time })} ago`,
      String(pid),
      server,
      String(slot),
      String(generation),
      reason,
      headline,
    ]);
    console.log(formatTable(["WHEN", "PID", "SERVER", "SLOT", "GENERATION", "REASON", "WHAT"], rows));
  }
  return ExitCode.ok;
}

function ageOf({ time }: Pick<RecordEntry, "time">): string {
  return formatAge(Math.max(0, Date.now() - Date.parse(time)));
}
