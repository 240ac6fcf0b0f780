/**
 * Parses the app spec of the command line: `module`, `module:name`, `module:name("argument", 2)`.
 * This is the only parser of it; it touches no file and evaluates nothing.
 */
import { ExitCode, FatalError } from "../errors.ts";
import { LiteralError, parseArguments } from "./literal.ts";

/** Export names tried, in this order, when the spec gives none. */
export const DEFAULT_NAMES: readonly string[] = ["handler", "app", "default"];

/** Advice for an app that is not exported, for both kinds of module. */
export const EXPORTING = "module.exports = app, or export default app";

/** A parsed app spec. */
export interface AppSpec {
  /** The spec as given, trimmed. */
  readonly text: string;
  /** A path or a package, as given. */
  readonly module: string;
  /** The export and the properties to follow from it; undefined: try the default names. */
  readonly path: readonly string[] | undefined;
  /** The arguments of a factory call; undefined without a call. */
  readonly args: readonly unknown[] | undefined;
}

const FORM = 'write MODULE, MODULE:NAME or MODULE:FACTORY("argument")';
const NAME = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;

/**
 * Parses an app spec (gunicorn's `APP_MODULE`, `$(MODULE_NAME):$(VARIABLE_NAME)`).
 * Throws `FatalError` with `ExitCode.appLoad` and one line when it is malformed.
 */
export function parseAppSpec(text: string): AppSpec {
  const spec = text.trim();
  if (spec === "") throw malformed(text, `it is empty: ${FORM}`);
  const colon = spec.indexOf(":");
  if (colon === -1) {
    if (spec.endsWith(")")) throw malformed(text, `a factory call needs a name: ${FORM}`);
    return { text: spec, module: spec, path: undefined, args: undefined };
  }
  const module = spec.slice(0, colon);
  const target = spec.slice(colon + 1).trim();
  if (target.startsWith("//"))
    throw malformed(text, `it is a URL: ${FORM}, where MODULE is a path or a package`);
  if (module === "") throw malformed(text, `there is no module before the colon: ${FORM}`);
  if (target === "") throw malformed(text, `there is no name after the colon: ${FORM}`);
  const open = target.indexOf("(");
  const name = (open === -1 ? target : target.slice(0, open)).trim();
  const path = name.split(".");
  const wrong = path.find((part) => !NAME.test(part));
  if (wrong !== undefined) throw malformed(text, nameTrouble(name, wrong));
  if (open === -1) return { text: spec, module, path, args: undefined };
  if (!target.endsWith(")")) throw malformed(text, "the call does not end with a closing parenthesis");
  return { text: spec, module, path, args: callArguments(text, target.slice(open + 1, -1)) };
}

function callArguments(text: string, source: string): unknown[] {
  try {
    return parseArguments(source);
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error;
    throw malformed(text, `${error.message}, at character ${error.at + 1} of the arguments`, error);
  }
}

function nameTrouble(name: string, wrong: string): string {
  if (name === "") return `there is no name before the parenthesis: ${FORM}`;
  if (wrong === "") return `${JSON.stringify(name)} has an empty part between its dots`;
  return `${JSON.stringify(wrong)} is not a name: ${FORM}`;
}

function malformed(text: string, reason: string, cause?: unknown): FatalError {
  return new FatalError(`malformed app ${JSON.stringify(text)}: ${reason}`, ExitCode.appLoad, { cause });
}
