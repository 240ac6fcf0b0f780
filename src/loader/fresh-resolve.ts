/**
 * Modules that are imported anew. Node keeps every ES module it has imported, by its URL, so a module that
 * was imported with a mark in its URL hands the mark on to what it imports in turn: a new mark, a new reading.
 * Packages are left as they are. This file is loaded into Node's loader, also into one in a thread of its own,
 * and imports nothing of ours.
 */
import type { ResolveFnOutput, ResolveHook, ResolveHookContext } from "node:module";

/** In the query of a URL: which reading of the file this is. */
export const MARK = "tsgun-reading";

const MARKED = new RegExp(`[?&]${MARK}=(\\d+)`);
/** Our own modules exist once: they lie beside this one, in the folder above. */
const OWN_CODE = new URL("..", import.meta.url).href;

/** What was resolved, with the mark of the module that imports it. */
function marked(specifier: string, context: ResolveHookContext, found: ResolveFnOutput): ResolveFnOutput {
  const mark = MARKED.exec(context.parentURL ?? "")?.[1];
  const { url } = found;
  if (mark === undefined || !url.startsWith("file:") || url.startsWith(OWN_CODE) || MARKED.test(url))
    return found;
  const ofPackage = url.includes("/node_modules/") && !/^\.{0,2}\//.test(specifier);
  // A package that is itself what is read anew is imported from a place of this name.
  if (ofPackage && !/\/\[app\]\?/.test(context.parentURL ?? "")) return found;
  return { ...found, url: `${url}${url.includes("?") ? "&" : "?"}${MARK}=${mark}` };
}

/** The hook as `module.register` takes it. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) =>
  marked(specifier, context, await nextResolve(specifier, context));

/** The hook as `module.registerHooks` takes it. */
export function resolveSync(
  specifier: string,
  context: ResolveHookContext,
  nextResolve: (specifier: string, context: ResolveHookContext) => ResolveFnOutput,
): ResolveFnOutput {
  return marked(specifier, context, nextResolve(specifier, context));
}
