/**
 * Resolve hook for re-importing modules. Node caches every ES module by URL, so a module imported with a mark in
 * its URL passes the mark on to its own imports: a new mark reads all of them again. Packages keep their URL. This
 * file runs inside Node's loader, possibly in the loader's thread, and imports nothing of ours.
 */
import type { ResolveFnOutput, ResolveHook, ResolveHookContext } from "node:module";

/** Query parameter of a module URL: the number of the reading. */
export const MARK = "tsgun-reading";

const MARKED = new RegExp(`[?&]${MARK}=(\\d+)`);
/** tsgun's own modules must exist only once, so they are never marked. */
const OWN_CODE = new URL("..", import.meta.url).href;

/** Returns the resolved module with the mark of its importer. */
function marked(specifier: string, context: ResolveHookContext, found: ResolveFnOutput): ResolveFnOutput {
  const mark = MARKED.exec(context.parentURL ?? "")?.[1];
  const { url } = found;
  if (mark === undefined || !url.startsWith("file:") || url.startsWith(OWN_CODE) || MARKED.test(url))
    return found;
  const ofPackage = url.includes("/node_modules/") && !/^\.{0,2}\//.test(specifier);
  // A package that is itself being re-read is imported from a module of this name.
  if (ofPackage && !/\/\[app\]\?/.test(context.parentURL ?? "")) return found;
  return { ...found, url: `${url}${url.includes("?") ? "&" : "?"}${MARK}=${mark}` };
}

/** The hook for `module.register`. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) =>
  marked(specifier, context, await nextResolve(specifier, context));

/** The hook for `module.registerHooks`. */
export function resolveSync(
  specifier: string,
  context: ResolveHookContext,
  nextResolve: (specifier: string, context: ResolveHookContext) => ResolveFnOutput,
): ResolveFnOutput {
  return marked(specifier, context, nextResolve(specifier, context));
}
