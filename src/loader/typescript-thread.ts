/** The compiler's hooks for Nodes whose loader runs hooks in a thread of its own. */
import type { LoadFnOutput, LoadHook, ResolveFnOutput, ResolveHook } from "node:module";
import { pathToFileURL } from "node:url";
import { HELPERS, helperOf, loadOxc } from "./oxc.ts";

const oxc = loadOxc();
oxc.initTracing();

export const resolve: ResolveHook = (specifier, context, next) => {
  const helper = helperOf(specifier);
  if (helper !== undefined) return next(pathToFileURL(helper).href, context);
  return oxc.createResolve<ResolveFnOutput | Promise<ResolveFnOutput>>(
    { getCurrentDirectory: () => process.cwd() },
    specifier,
    context,
    next as (asked: string, context?: object) => ResolveFnOutput | Promise<ResolveFnOutput>,
  );
};

export const load: LoadHook = (url, context, next) =>
  oxc.load<LoadFnOutput | Promise<LoadFnOutput>>(
    url,
    context,
    next as (asked: string, context?: object) => LoadFnOutput | Promise<LoadFnOutput>,
    HELPERS,
  );
