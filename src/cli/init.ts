/** `tsgun init`: writes the requested files around the app. It overwrites an existing file only with --force. */
import { closeSync, constants, existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { Command, CommanderError } from "commander";
import { findConfigFile } from "../config/config-source.ts";
import type { Deployment } from "../deploy/init/deployment.ts";
import {
  DESCRIPTIONS,
  FILE_KINDS,
  type FileKind,
  nextSteps,
  type PlannedFile,
  plannedFiles,
} from "../deploy/init/files.ts";
import { planDeployment } from "../deploy/init/plan.ts";
import { ExitCode, FatalError } from "../errors.ts";
import { followLinks } from "../log/appended-file.ts";

interface InitOptions {
  readonly app?: string;
  readonly domain?: string;
  readonly folder?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** Runs `tsgun init` with its arguments. @throws FatalError with one line */
export async function runInit(args: readonly string[]): Promise<ExitCode> {
  const program = initCommand();
  try {
    program.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return ExitCode.ok;
    const message = error.message.replace(/^error: /, "");
    throw new FatalError(`${message} (see tsgun init --help)`, ExitCode.usage, { cause: error });
  }
  const folder = process.cwd();
  const { force = false, dryRun = false, ...options } = program.opts<InitOptions>();
  const plan = (kinds: ReadonlySet<FileKind>) => planDeployment(folder, { ...options, kinds, force });
  const named = namedKinds(program.args);
  // Fail before the questions if there is no app.
  if (named === undefined) await plan(new Set());
  const kinds = named ?? (isTerminal() ? await askForKinds(folder) : new Set<FileKind>(["config"]));
  const deployment = await plan(kinds);
  const files = [...kinds].flatMap((kind) => plannedFiles(kind, deployment));
  if (kinds.has("config") && !dryRun) refuseSecondConfig(folder, files);
  if (dryRun) {
    process.stdout.write(files.map(({ path, text }) => `==> ${path} <==\n${text}`).join("\n"));
    return ExitCode.ok;
  }
  const kept = files.filter((file) => !write(file, folder, force));
  advise(kinds, deployment);
  if (named === undefined && !isTerminal()) {
    console.log(`See also: tsgun init ${FILE_KINDS.filter((kind) => kind !== "config").join("|")}`);
  }
  return kept.some(({ optional }) => optional !== true) ? ExitCode.failure : ExitCode.ok;
}

export function initCommand(): Command {
  const kinds = FILE_KINDS.map((kind) => `  ${kind.padEnd(11)} ${DESCRIPTIONS[kind]}`).join("\n");
  return new Command("tsgun init")
    .description("Writes files for the app in this folder: the named ones, or those chosen at the prompts.")
    .argument("[files...]", FILE_KINDS.join(", "))
    .option("--app <APP>", "The application, if it is not found automatically.")
    .option("--domain <NAME>", "The site's domain, for nginx.", "localhost")
    .option("--folder <DIR>", "The app's folder on the server. Default: this folder, or /srv/NAME.")
    .option("--dry-run", "Print the files instead of writing them.")
    .option("--force", "Overwrite existing files.")
    .helpOption("-h, --help", "Print this help.")
    .addHelpText("after", `\nFiles:\n${kinds}`)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
}

/** Returns the kinds of files that the words name, or undefined without words. */
function namedKinds(words: readonly string[]): Set<FileKind> | undefined {
  if (words.length === 0) return undefined;
  const kinds = words.map((word) => {
    const kind = FILE_KINDS.find((name) => name === word);
    if (kind !== undefined) return kind;
    throw new FatalError(
      `tsgun init cannot write ${word}: choose from ${FILE_KINDS.join(", ")}`,
      ExitCode.usage,
    );
  });
  return new Set(FILE_KINDS.filter((kind) => kinds.includes(kind)));
}

function isTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Asks one question per kind of file. @throws FatalError when the input ends early */
async function askForKinds(folder: string): Promise<Set<FileKind>> {
  const chosen = new Set<FileKind>();
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  // Unlike question(), the iterator keeps lines that were typed ahead.
  const answers = terminal[Symbol.asyncIterator]();
  try {
    for (const kind of FILE_KINDS) {
      const usual = kind === "config" && findConfigFile(folder) === undefined;
      terminal.setPrompt(`Write ${DESCRIPTIONS[kind]}? ${usual ? "[Y/n]" : "[y/N]"} `);
      terminal.prompt();
      const { value, done } = await answers.next();
      if (done === true)
        throw new FatalError("tsgun init was aborted: nothing was written", ExitCode.failure);
      const answer = value.trim().toLowerCase();
      if (answer === "" ? usual : answer.startsWith("y")) chosen.add(kind);
    }
    return chosen;
  } finally {
    terminal.close();
  }
}

/** Refuses a second configuration file with another extension: only one would be read, and not obviously which. */
function refuseSecondConfig(folder: string, files: readonly PlannedFile[]): void {
  const existing = findConfigFile(folder);
  if (existing === undefined || files.some(({ path }) => join(folder, path) === existing)) return;
  const name = basename(existing);
  throw new FatalError(
    `there is already a configuration: remove ${name}, or leave out config`,
    ExitCode.usage,
  );
}

/** Writes the file unless it exists. Prints and returns whether it was written. */
function write({ path, text, optional }: PlannedFile, folder: string, force: boolean): boolean {
  const file = join(folder, path);
  if (!force && existsSync(file)) {
    console.error(`kept   ${path}${optional === true ? "" : ", which exists: --force overwrites it"}`);
    return false;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFile(file, text, force);
  console.log(`wrote  ${path}`);
  return true;
}

/**
 * Writes a file that others may read at most. In a folder that others can write to, a name may be their link to any file
 * of this user.
 */
function writeFile(file: string, text: string, force: boolean): void {
  const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_TRUNC, O_WRONLY } = constants;
  try {
    const path = force ? followLinks(file).path : file;
    const flag = O_WRONLY | O_CREAT | (force ? O_TRUNC | O_NOFOLLOW : O_EXCL);
    const descriptor = openSync(path, flag, 0o644);
    writeFileSync(descriptor, text);
    closeSync(descriptor);
  } catch (cause) {
    throw new FatalError(`cannot write ${file}: ${(cause as Error).message}`, ExitCode.failure, { cause });
  }
}

function advise(kinds: ReadonlySet<FileKind>, deployment: Deployment): void {
  for (const note of deployment.notes) console.log(`Note: ${note}`);
  for (const step of nextSteps(kinds, deployment)) console.log(`Next: ${step}`);
}
