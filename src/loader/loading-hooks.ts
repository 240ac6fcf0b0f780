/**
 * Runs on Node's own thread for module hooks, where `module.register` puts it: tells which files ES modules are
 * loaded from, before that is tried, and what was looked for in vain. It changes nothing of either.
 */
import type { LoadHook, ResolveHook } from "node:module";
import type { MessagePort } from "node:worker_threads";
import { type LoadingNote, noteOf, noteOfLink, noteOfMissing } from "./loading-note.ts";

let port: MessagePort | undefined;

export function initialize(data: { port: MessagePort }): void {
  port = data.port;
}

export const load: LoadHook = (url, context, nextLoad) => {
  tell(noteOf(url));
  return nextLoad(url, context);
};

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  try {
    const found = await nextResolve(specifier, context);
    tell(noteOfLink(specifier, context.parentURL, found.url));
    return found;
  } catch (error) {
    tell(noteOfMissing(specifier, context.parentURL));
    throw error;
  }
};

function tell(note: LoadingNote | undefined): void {
  if (note !== undefined) port?.postMessage(note);
}
