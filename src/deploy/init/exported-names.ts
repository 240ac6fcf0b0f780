/**
 * Reads a module's exports from its text. Importing the module to find the app might connect to a database
 * or listen. Exports that the text does not show need `--app`.
 */

const DECLARED =
  /^export\s+(?:declare\s+)?(?:async\s+)?(?:const|let|var|function|class)\s*\*?\s*([\p{L}_$][\p{L}\p{N}_$]*)/gmu;
const LISTED = /^export\s*\{([^}]*)\}/gm;
const DEFAULT = /^export\s+default\b|^(?:module\.)?exports\s*=(?!\s*\{)|^export\s*=/m;
const COMMON_JS = /^\s*(?:module\.)?exports\.([\p{L}_$][\p{L}\p{N}_$]*)\s*=/gmu;
const COMMON_JS_LIST = /^module\.exports\s*=\s*\{([^}]*)\}/gm;

/** Returns the names that the module exports, as far as its text shows them, with `default` for the default export. */
export function exportedNames(source: string): ReadonlySet<string> {
  const text = source.replaceAll(/\/\*.*?\*\//gs, "");
  const names = [...text.matchAll(DECLARED), ...text.matchAll(COMMON_JS)].map((match) => match[1] as string);
  for (const [, list = ""] of text.matchAll(LISTED)) {
    // `a as b` is exported as b.
    names.push(...items(list).map((item) => item.split(/\s+as\s+/).at(-1) as string));
  }
  for (const [, list = ""] of text.matchAll(COMMON_JS_LIST)) {
    names.push(...items(list).map((item) => item.split(":")[0]?.trim() as string));
  }
  if (DEFAULT.test(text)) names.push("default");
  return new Set(names);
}

const LISTENS = /^[^/\n]*\.listen\s*\(/m;
/** Checks by which a module listens only when it is the main program, not when it is imported. */
const CHECKS_MAIN_MODULE = /\brequire\.main\b|\bimport\.meta\.main\b|\bprocess\.argv\[1\]/;

/** Whether the module appears to call listen() when tsgun imports it. */
export function callsListen(source: string): boolean {
  const text = source.replaceAll(/\/\*.*?\*\//gs, "");
  return LISTENS.test(text) && !CHECKS_MAIN_MODULE.test(text);
}

function items(list: string): string[] {
  return list
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "" && !item.startsWith("type "));
}
