/**
 * What a module exports, read from its text: to find the app of a project nothing of it may run, since
 * that might connect to a database or listen. What the text does not show, `--app` says.
 */

const DECLARED =
  /^export\s+(?:declare\s+)?(?:async\s+)?(?:const|let|var|function|class)\s*\*?\s*([\p{L}_$][\p{L}\p{N}_$]*)/gmu;
const LISTED = /^export\s*\{([^}]*)\}/gm;
const DEFAULT = /^export\s+default\b|^(?:module\.)?exports\s*=(?!\s*\{)|^export\s*=/m;
const COMMON_JS = /^\s*(?:module\.)?exports\.([\p{L}_$][\p{L}\p{N}_$]*)\s*=/gmu;
const COMMON_JS_LIST = /^module\.exports\s*=\s*\{([^}]*)\}/gm;

/** The names under which the module exports something, as far as its text shows; `default` for that. */
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
/** What a module asks that listens only where it was started as the program itself, and not where it is imported. */
const ASKS_WHO_STARTED = /\brequire\.main\b|\bimport\.meta\.main\b|\bprocess\.argv\[1\]/;

/** Whether the module, as it looks, starts a server by itself, also when tsgun imports it. */
export function callsListen(source: string): boolean {
  const text = source.replaceAll(/\/\*.*?\*\//gs, "");
  return LISTENS.test(text) && !ASKS_WHO_STARTED.test(text);
}

function items(list: string): string[] {
  return list
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "" && !item.startsWith("type "));
}
