/** One request on a connection of its own, over TCP or a Unix socket. */
import { request } from "node:http";
import type { Target } from "./load.ts";

export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly text: string;
}

/** The limit for a response; far more than any takes. */
const DEADLINE_MS = 60_000;

/** Rejects if the response is incomplete. */
export function ask(target: Target, path = "/", body?: string): Promise<Answer> {
  const where = "path" in target ? { socketPath: target.path } : target;
  const signal = AbortSignal.timeout(DEADLINE_MS);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { ...where, path, method: body === undefined ? "GET" : "POST", agent: false, signal },
      async (incoming) => {
        try {
          let text = "";
          for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text });
        } catch (error) {
          reject(error as Error);
        }
      },
    );
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}
