/**
 * Files of environment variables (`--env-file`), parsed by Node as for `node --env-file`, but one statement at a time.
 * Node skips a line that it does not understand, and after a line of spaces it takes the line break for a part of the
 * next name. Both would leave the app without a variable, so here the first is an error, and the second does not happen.
 */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import * as util from "node:util";
import { ExitCode, FatalError } from "../errors.ts";
import { describeDenial } from "./access-denial.ts";

const QUOTES = ["'", '"', "`"];

/** A file as the setting names it: a `?` at the end allows it to be missing. */
export interface EnvFile {
  readonly path: string;
  readonly isOptional: boolean;
}

/** @param folder base of a relative name */
export function locateEnvFile(name: string, folder: string): EnvFile {
  const isOptional = name.endsWith("?");
  return { path: resolve(folder, isOptional ? name.slice(0, -1) : name), isOptional };
}

/**
 * Reads the variables of the files; of equal names the last wins.
 * @throws FatalError (usage) that names the file, and the line if it is at fault
 */
export function readEnvFiles(files: readonly EnvFile[]): Record<string, string> {
  return Object.assign({}, ...files.map(readEnvFile)) as Record<string, string>;
}

function readEnvFile({ path, isOptional }: EnvFile): Record<string, string> {
  const text = readText(path, isOptional);
  if (text === undefined) return {};
  if (text.includes("\0")) throw fault(`${path} is not a text file`);
  const variables: Record<string, string> = {};
  for (const { statement, line } of statementsOf(text)) {
    const [pair, ...more] = Object.entries(parseEnv(statement));
    if (pair === undefined || more.length > 0)
      throw fault(`${path}:${line}: a line must be NAME=value, a comment or empty`);
    variables[pair[0]] = pair[1];
  }
  return variables;
}

function readText(path: string, isOptional: boolean): string | undefined {
  const stats = statOf(path);
  const denial = describeDenial(path);
  if (denial !== undefined) throw fault(denial);
  if (isOptional && (stats === undefined || stats.isDirectory())) return undefined;
  if (stats === undefined)
    throw fault(`there is no file ${path}: create it, or allow it to be missing with --env-file-if-exists`);
  if (stats.isDirectory()) throw fault(`${path} is a folder`);
  // A reload would wait for its writer.
  if (stats.isFIFO()) throw fault(`${path} is a pipe, which cannot be read again: use a file`);
  try {
    // Some editors write a byte order mark.
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    const why = code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "it is not UTF-8" : message;
    throw fault(`cannot read ${path}: ${why}`);
  }
}

function statOf(path: string): ReturnType<typeof statSync> {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Node has it since 20.12. */
function parseEnv(text: string): Record<string, string> {
  const { parseEnv: parse } = util as { parseEnv?: typeof util.parseEnv };
  if (parse === undefined) throw fault(`it needs Node 20.12 or later, and this is ${process.version}`);
  return { ...parse(text) } as Record<string, string>;
}

interface Statement {
  readonly statement: string;
  /** The number of its first line. */
  readonly line: number;
}

/** Splits the text into statements, without comments and empty lines. A quoted value may span lines. */
function* statementsOf(text: string): Generator<Statement> {
  for (let at = 0, line = 1; at < text.length; ) {
    const first = text.slice(at, endOfLine(text, at));
    const isEmpty = /^\s*(?:#|$)/.test(first);
    const equals = first.indexOf("=");
    const end = endOfLine(text, isEmpty || equals === -1 ? at : endOfValue(text, at + equals + 1));
    const statement = text.slice(at, end);
    if (!isEmpty) yield { statement: `${statement.trim()}\n`, line };
    line += statement.split("\n").length;
    at = end + 1;
  }
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}

/** Returns the position of the closing quote, or `at` if the value is not quoted. */
function endOfValue(text: string, at: number): number {
  const [space = ""] = /^[^\S\n]*/.exec(text.slice(at)) ?? [];
  const opening = at + space.length;
  if (!QUOTES.includes(text[opening] ?? "")) return at;
  const closing = text.indexOf(text[opening] as string, opening + 1);
  return closing === -1 ? at : closing;
}

function fault(what: string): FatalError {
  return new FatalError(`env-file: ${what}`, ExitCode.usage);
}
