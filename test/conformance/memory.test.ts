/** The suite over `inject`: no socket, no connection. */

import {
  type StartSubject,
  type SuiteOptions,
  type SuiteRequest,
  type SuiteResponse,
  suiteResponse,
} from "../../src/conformance/exchange.ts";
import { conformance } from "../../src/conformance/register.ts";
import { WireClient } from "../../src/conformance/wire-client.ts";
import type { App, Handler } from "../../src/gateway/types.ts";
import { type InjectedAnswer, inject } from "../../src/interop/testing.ts";

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index): [string, string][] =>
    index % 2 === 0 ? [[name, raw[index + 1] as string]] : [],
  );
}

async function exchange(
  app: App | Handler,
  request: SuiteRequest,
  options: SuiteOptions,
): Promise<SuiteResponse> {
  const { method, target, httpVersion, headers = [], content, trailers } = request;
  let broken = false;
  const injected = await inject(app, {
    ...options,
    headers: pairs(headers),
    ...(method !== undefined && { method }),
    ...(target !== undefined && { path: target }),
    ...(httpVersion !== undefined && { httpVersion }),
    ...(content !== undefined && { body: content }),
    ...(trailers !== undefined && { trailers: pairs(trailers) }),
  }).catch((error: Error): InjectedAnswer | undefined => {
    if (error.message === "no database") throw error;
    broken = true;
    return undefined;
  });
  if (broken || injected === undefined) {
    return suiteResponse({
      status: 0,
      rawHeaders: [],
      rawTrailers: [],
      informational: [],
      content: Buffer.alloc(0),
      complete: false,
      upgraded: undefined,
    });
  }
  // If the app writes the handshake itself, the stream begins with it.
  if (injected.upgraded !== undefined && injected.status === 0) {
    const client = new WireClient(injected.upgraded);
    const answer = await client.response(method);
    return { ...answer, upgraded: client.release() };
  }
  return suiteResponse({ ...injected, content: Buffer.from(injected.body), complete: true });
}

const start: StartSubject = async (app, options) => ({
  exchange: (request) => exchange(app, request, options),
  close: async () => {},
});

conformance("inject", start, {
  wire: "there is no connection",
  drain: "nothing drains",
  "dressed-refusals": "nothing is parsed",
});
