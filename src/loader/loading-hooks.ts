/**
 * Runs on Node's module hooks thread, where `module.register` loads it. Reports the file of each ES module before it
 * is loaded, and the candidate files of imports that failed to resolve. It does not change how modules load.
 */
import type { LoadHook, ResolveHook } from "node:module";
import type { MessagePort } from "node:worker_threads";
import { type LoadingNote, noteOf, noteOfLink, noteOfMissing } from "./loading-note.ts";

let port: MessagePort | undefined;

export function initialize(data: { port: MessagePort }): void {
  port = data.port;
}

export const load: LoadHook = (url, context, nextLoad) => {
  report(noteOf(url));
  return nextLoad(url, context);
};

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  try {
    const found = await nextResolve(specifier, context);
    report(noteOfLink(specifier, context.parentURL, found.url));
    return found;
  } catch (error) {
    report(noteOfMissing(specifier, context.parentURL));
    throw error;
  }
};

function report(note: LoadingNote | undefined): void {
  if (note !== undefined) port?.postMessage(note);
}
