/** The requests of the page to the server that it came from. Paths are relative, so that it works below any prefix. */
import type { Outcome } from "../control/api.ts";
import type { Overview, Session } from "../control/dashboard/overview.ts";
import type { DeathStory } from "../control/stats.ts";

/** Time for a report, and for the outcome of a command: a reload waits for its workers. Milliseconds. */
const REPORT_TIMEOUT_MS = 5000;
const COMMAND_TIMEOUT_MS = 10 * 60_000;
/** During an upgrade two arbiters respond, each with its own CSRF token. */
const CSRF_TRIES = 5;

/** The server has answered, but not with what was asked for. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** @throws Refusal, or TypeError or DOMException without an answer */
export async function overview(since: number): Promise<Overview> {
  return (await report(`api/overview?since=${since}`)) as Overview;
}

/** @throws as `overview` does */
export async function death(id: string): Promise<DeathStory> {
  return (await report(`api/deaths/${encodeURIComponent(id)}`)) as DeathStory;
}

async function report(path: string): Promise<unknown> {
  const signal = AbortSignal.timeout(REPORT_TIMEOUT_MS);
  const response = await fetch(path, { cache: "no-store", signal });
  return await read(response);
}

async function read(response: Response): Promise<unknown> {
  const body = (await response.json().catch(() => undefined)) as { error?: string } | undefined;
  if (response.ok && body !== undefined) return body;
  throw new Refusal(response.status, body?.error ?? `the server responded with status ${response.status}`);
}

/** @throws as `overview` does; a command that was refused or has failed is an outcome, too */
export async function command(path: string, body: unknown, csrf: string): Promise<Outcome> {
  for (let tries = CSRF_TRIES, token = csrf; ; tries--) {
    const response = await post(path, body, token);
    const outcome = (await response.json().catch(() => undefined)) as
      | (Outcome & { code?: string })
      | undefined;
    if (outcome === undefined)
      return { ok: false, error: `the server responded with status ${response.status}` };
    if (outcome.code !== "csrf" || tries === 0) return outcome;
    ({ csrf: token } = (await report("api/session")) as Session);
  }
}

function post(path: string, body: unknown, csrf = ""): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-tsgun-csrf": csrf },
    body: JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
  });
}

/** @throws Refusal for a wrong token */
export async function logIn(token: string): Promise<void> {
  await read(await post("api/login", { token }));
}

/** @throws Refusal */
export async function logOut(): Promise<void> {
  await read(await post("api/logout", {}));
}
