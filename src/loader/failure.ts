/** Describes a failure in user code in one line with its location; the original error is the `cause`. */
import { fileURLToPath } from "node:url";
import { ExitCode, FatalError } from "../errors.ts";
import { describeDenial } from "./access-denial.ts";
import { displayed, type Location, notFound } from "./locate.ts";
import { declaredFormat } from "./module-format.ts";
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
  const trouble = location.kind === "file" ? await syntaxErrorLocation(error, location.file) : undefined;
  if (trouble === undefined) return codeFailure(`cannot load ${location.shown}`, error, cwd);
  const place = displayed(trouble.file, cwd) + (trouble.line === undefined ? "" : `:${trouble.line}`);
  // The linker reports a missing export as a SyntaxError, but the syntax is fine.
  const text = /^The requested module /.test(trouble.reason)
    ? `${trouble.reason} (at ${place})`
    : `syntax error in ${place}: ${trouble.reason}${hint(trouble.reason, trouble.file)}`;
  return new FatalError(`cannot load ${location.shown}: ${text}`, ExitCode.appLoad, { cause: error });
}

/** Node reports a file in a folder that it may not enter as missing. */
function denialBehind(error: unknown): string | undefined {
  const { code, path, url } = (error ?? {}) as { code?: unknown; path?: unknown; url?: unknown };
  if (code === "EACCES" && typeof path === "string") return describeDenial(path);
  const isFile = typeof url === "string" && url.startsWith("file:");
  return code === "ERR_MODULE_NOT_FOUND" && isFile ? describeDenial(fileURLToPath(url)) : undefined;
}

/** The error for user code that threw during `what`. */
export function codeFailure(what: string, error: unknown, cwd: string): FatalError {
  const frame = userFrame(error);
  const place = frame === undefined ? "" : ` (at ${displayed(frame.file, cwd)}:${frame.line})`;
  const text = describe(error);
  return new FatalError(`${what}: ${text}${place}${hint(text, frame?.file)}`, ExitCode.appLoad, {
    cause: error,
  });
}

/** One line: the error's name, if more specific than "Error", and the first line of its message. */
function describe(error: unknown): string {
  if (!(error instanceof Error))
    return `it threw ${JSON.stringify(error) ?? String(error)}, which is not an Error`;
  const message = oneLine(error.message);
  if (message === "") return error.name;
  return error.name === "Error" ? message : `${error.name}: ${message}`;
}

function oneLine(text: string): string {
  return (text.trim().split("\n")[0] as string).trim();
}

/** Syntax that makes a TypeScript file an ES module. */
function reasonOfFormat(file: string): string {
  if (file.endsWith(".mts")) return "its extension";
  return declaredFormat(file) === "module"
    ? '"type": "module" in package.json'
    : "its import.meta or top-level await";
}

/** Advice for common mistakes whose message does not say what to do. */
function hint(text: string, file: string | undefined): string {
  if (/\b(?:require|module|exports|__dirname|__filename) is not defined/.test(text)) {
    if (file === undefined || !isTypeScript(file)) return "";
    return `; the file is an ES module because of ${reasonOfFormat(file)}: use import.meta.dirname or createRequire`;
  }
  if (/Cannot use import statement outside a module|Unexpected token 'export'/.test(text)) {
    return '; add "type": "module" to package.json, or name the file .mjs';
  }
  // Node caches the failed load of such a file, so registering the compiler afterwards does not help.
  if (/Unknown file extension "\.[mc]?tsx?"|not supported in strip-only mode/.test(text)) {
    return "; give the app's own file the extension .ts, so that its imports are compiled too";
  }
  return "";
}

/** True when the package itself is missing, not one of its imports. */
export function isMissing(error: unknown, location: Extract<Location, { kind: "package" }>): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") return false;
  return String(message).includes(`${location.from}/[app]`);
}

async function syntaxErrorLocation(error: unknown, entry: string): ReturnType<typeof locateSyntaxError> {
  try {
    return await locateSyntaxError(error, entry);
  } catch {
    // The file is gone or unreadable by now: report the original error.
    return undefined;
  }
}
