/** What went wrong in the user's code, in one line with its place there; the error itself stays the `cause`. */
import { fileURLToPath } from "node:url";
import { ExitCode, FatalError } from "../errors.ts";
import { denialOf } from "./denial.ts";
import { displayed, type Location, notFound } from "./locate.ts";
import { locateSyntaxError } from "./syntax-error.ts";
import { isTypeScript } from "./typescript.ts";
import { userFrame } from "./user-frame.ts";

/** The error for a module that could not be imported. Never rejects. */
export async function importFailure(error: unknown, location: Location, cwd: string): Promise<FatalError> {
  if (error instanceof FatalError) return error;
  const denial = denialBehind(error);
  if (denial !== undefined)
    return new FatalError(`cannot load ${location.shown}: ${denial}`, ExitCode.appLoad);
  if (location.kind === "package" && isMissing(error, location))
    return notFound(location.name, cwd, true, error);
  const trouble = location.kind === "file" ? await syntaxTrouble(error, location.file) : undefined;
  if (trouble === undefined) return codeFailure(`cannot load ${location.shown}`, error, cwd);
  const place = displayed(trouble.file, cwd) + (trouble.line === undefined ? "" : `:${trouble.line}`);
  // The linker's complaint about a name that is not exported is a SyntaxError too, but not one of syntax.
  const text = /^The requested module /.test(trouble.reason)
    ? `${trouble.reason} (at ${place})`
    : `syntax error in ${place}: ${trouble.reason}${hint(trouble.reason, trouble.file)}`;
  return new FatalError(`cannot load ${location.shown}: ${text}`, ExitCode.appLoad, { cause: error });
}

/** Node says of a file in a folder that may not be entered that it is not there. */
function denialBehind(error: unknown): string | undefined {
  const { code, path, url } = (error ?? {}) as { code?: unknown; path?: unknown; url?: unknown };
  if (code === "EACCES" && typeof path === "string") return denialOf(path);
  const isFile = typeof url === "string" && url.startsWith("file:");
  return code === "ERR_MODULE_NOT_FOUND" && isFile ? denialOf(fileURLToPath(url)) : undefined;
}

/** The error for code of the user that threw while `what` was going on. */
export function codeFailure(what: string, error: unknown, cwd: string): FatalError {
  const frame = userFrame(error);
  const place = frame === undefined ? "" : ` (at ${displayed(frame.file, cwd)}:${frame.line})`;
  const text = described(error);
  return new FatalError(`${what}: ${text}${place}${hint(text, frame?.file)}`, ExitCode.appLoad, {
    cause: error,
  });
}

/** An error as one line: its name, where that says anything, and the first line of its message. */
function described(error: unknown): string {
  if (!(error instanceof Error))
    return `it threw ${JSON.stringify(error) ?? String(error)}, which is no Error`;
  const message = oneLine(error.message);
  if (message === "") return error.name;
  return error.name === "Error" ? message : `${error.name}: ${message}`;
}

function oneLine(text: string): string {
  return (text.trim().split("\n")[0] as string).trim();
}

/** What to do about mistakes that many make and whose message does not tell. */
function hint(text: string, file: string | undefined): string {
  if (/\b(?:require|module|exports|__dirname|__filename) is not defined/.test(text)) {
    return file !== undefined && isTypeScript(file)
      ? "; TypeScript with import or export runs as an ES module: use import.meta.dirname or createRequire, " +
          "or serve what tsc compiles it to"
      : "";
  }
  if (/Cannot use import statement outside a module|Unexpected token 'export'/.test(text)) {
    return '; add "type": "module" to package.json, or name the file .mjs';
  }
  // Node remembers that such files failed, so the compiler cannot be called in afterwards.
  if (/Unknown file extension "\.[mc]?tsx?"|not supported in strip-only mode/.test(text)) {
    return "; give the file of the app itself the ending .ts, then what it imports is compiled too";
  }
  return "";
}

/** True when it is the package itself that is missing, not something that it imports. */
export function isMissing(error: unknown, location: Extract<Location, { kind: "package" }>): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") return false;
  return String(message).includes(`${location.from}/[app]`);
}

async function syntaxTrouble(error: unknown, entry: string): ReturnType<typeof locateSyntaxError> {
  try {
    return await locateSyntaxError(error, entry);
  } catch {
    // The file is gone or cannot be read a second time: the error that was thrown says enough.
    return undefined;
  }
}
