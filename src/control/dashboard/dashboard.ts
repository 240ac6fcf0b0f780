/** The requests of the dashboard: its page, its data, its commands, and who may have them. */
import { randomBytes } from "node:crypto";
import type { Address } from "../../config/address.ts";
import { HttpError } from "../../errors.ts";
import type { Route } from "../json-server.ts";
import type { Asked, JsonReply, Reply } from "../reply.ts";
import type {
  DeathReport,
  DeathStory,
  EventReport,
  HistoryReport,
  InFlightReport,
  StatsReport,
} from "../stats.ts";
import { admission, isSame, requireSameOrigin } from "./gate.ts";
import type { Overview, Session } from "./overview.ts";
import { loadPage, PAGE_HEADERS, type PageFile, pageFile } from "./page-files.ts";
import { type Caller, Sessions } from "./sessions.ts";

export interface DashboardOptions {
  readonly address: Address;
  /** Undefined if none is set. */
  readonly token: string | undefined;
  /** The table of all routes. */
  readonly table: readonly Route[];
}

/** As many as the page shows. */
const MAX_EVENTS = 100;
const MAX_REQUESTS = 500;
const MAX_DEATHS = 10;

interface Question {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: URLSearchParams;
}

/** Reports are JSON, and nothing for a frame or another site. */
const API_HEADERS = {
  ...PAGE_HEADERS,
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const;

export class Dashboard {
  readonly #options: DashboardOptions;
  readonly #sessions: Sessions | undefined;
  /** Known to pages of this process alone: a site that makes a browser send a request cannot read it. */
  readonly #csrf = randomBytes(32).toString("base64url");

  private constructor(options: DashboardOptions, sessions: Sessions | undefined) {
    this.#options = options;
    this.#sessions = sessions;
  }

  static async create(options: DashboardOptions): Promise<Dashboard> {
    const { token } = options;
    loadPage();
    return new Dashboard(options, token === undefined ? undefined : await Sessions.create(token));
  }

  /** The page is sent to anyone whom a token would let in: it asks for the token itself. */
  page(name: PageFile, { headers }: Asked): Reply {
    const allowed = this.#admission(headers);
    if (typeof allowed === "string") return pageFile(name, headers["if-none-match"]);
    return {
      status: 403,
      type: "text/plain; charset=utf-8",
      text: `${allowed.refusal}\n`,
      headers: PAGE_HEADERS,
    };
  }

  /** Calls `make` if the caller may see the dashboard. */
  read(asked: Asked, make: () => Promise<JsonReply>): Promise<Reply> {
    return this.#answer(async () => {
      this.#requireAdmission(callerOf(asked));
      return await make();
    });
  }

  /** Calls `make` if the caller may see the dashboard, and the request comes from the dashboard's page. */
  write(asked: Asked, make: () => Promise<JsonReply>): Promise<Reply> {
    return this.#answer(async () => {
      const caller = callerOf(asked);
      this.#requireAdmission(caller);
      requireSameOrigin(caller.headers);
      const given = caller.headers["x-tsgun-csrf"];
      if (typeof given !== "string" || !isSame(Buffer.from(given), Buffer.from(this.#csrf)))
        return {
          status: 403,
          body: { ok: false, code: "csrf", error: "send the field csrf of api/session as X-Tsgun-Csrf" },
        };
      return await make();
    });
  }

  logIn(asked: Asked, body: unknown): Promise<Reply> {
    return this.#answer(async () => {
      const caller = callerOf(asked);
      requireSameOrigin(caller.headers);
      const sessions = this.#requireSessions(caller);
      const token = (body as { token?: unknown } | null | undefined)?.token;
      if (typeof token !== "string") throw new HttpError(400, 'send {"token": TOKEN}');
      return { status: 200, body: { ok: true }, headers: { "set-cookie": sessions.logIn(token, caller) } };
    });
  }

  logOut(asked: Asked): Promise<Reply> {
    return this.#answer(async () => {
      const caller = callerOf(asked);
      requireSameOrigin(caller.headers);
      const sessions = this.#requireSessions(caller);
      return { status: 200, body: { ok: true }, headers: { "set-cookie": sessions.logOut(caller) } };
    });
  }

  session(asked: Asked): JsonReply {
    return { status: 200, body: this.#session(asked) };
  }

  async overview(asked: Asked): Promise<JsonReply> {
    const since = asked.query.get("since") ?? "0";
    const [stats, history, requests, events, deaths] = await Promise.all([
      this.#report<StatsReport>("/stats", asked),
      this.#report<HistoryReport>("/history", asked, { query: new URLSearchParams({ since }) }),
      this.#report<InFlightReport[]>("/requests", asked),
      this.#report<EventReport[]>("/events", asked),
      // No records are kept with `--record-dir none`.
      this.#report<DeathReport[]>("/deaths", asked).catch(() => []),
    ]);
    const body: Overview = {
      ...this.#session(asked),
      stats,
      history,
      requests: requests.slice(0, MAX_REQUESTS),
      events: events.slice(-MAX_EVENTS),
      deaths: deaths.slice(0, MAX_DEATHS),
    };
    return { status: 200, body };
  }

  async death(id: string, asked: Asked): Promise<JsonReply> {
    return {
      status: 200,
      body: await this.#report<DeathStory>("/deaths/:id", asked, { parameters: { id } }),
    };
  }

  /** Carries out a command of the control interface. */
  async command(
    path: string,
    parameters: Readonly<Record<string, string>>,
    body: unknown,
    asked: Asked,
  ): Promise<JsonReply> {
    return await jsonOf(this.#route("POST", path).handle(parameters, body, asked));
  }

  #session(asked: Asked): Session {
    return { csrf: this.#csrf, hasSession: this.#sessions?.hasSession(callerOf(asked)) === true };
  }

  async #report<T>(
    path: string,
    asked: Asked,
    { parameters = {}, query = new URLSearchParams() }: Question = {},
  ): Promise<T> {
    const plain = { ...asked, query, follows: false };
    const { status, body } = await jsonOf(this.#route("GET", path).handle(parameters, undefined, plain));
    if (status === 200) return body as T;
    throw new HttpError(status, (body as { error?: string }).error ?? `${path} responded with ${status}`);
  }

  #route(method: Route["method"], path: string): Route {
    const found = this.#options.table.find((route) => route.method === method && route.path === path);
    if (found === undefined) throw new HttpError(404, `this server has no ${path}`);
    return found;
  }

  #admission(headers: Asked["headers"]): ReturnType<typeof admission> {
    return admission(this.#options.address, this.#sessions !== undefined, headers);
  }

  #requireAdmission(caller: Caller): void {
    const allowed = this.#admission(caller.headers);
    if (typeof allowed === "object") throw new HttpError(403, allowed.refusal);
    if (allowed === "token") this.#sessions?.require(caller);
  }

  #requireSessions({ headers }: Caller): Sessions {
    const allowed = this.#admission(headers);
    if (typeof allowed === "object") throw new HttpError(403, allowed.refusal);
    if (this.#sessions === undefined)
      throw new HttpError(404, "there is no token: the dashboard is open here");
    return this.#sessions;
  }

  /** Adds the fields that every response of the API has; errors become responses here, to have them too. */
  async #answer(make: () => Promise<JsonReply>): Promise<Reply> {
    const reply = await make().catch((error: unknown): JsonReply => {
      const status = error instanceof HttpError ? error.status : 500;
      const message = (error as Error).message;
      const headers = status === 401 ? { "www-authenticate": 'Bearer realm="tsgun"' } : {};
      return { status, body: { ok: false, error: message }, headers };
    });
    return { ...reply, headers: { ...API_HEADERS, ...reply.headers } };
  }
}

function callerOf({ headers, remote }: Asked): Caller {
  return { headers, remote, now: Date.now() };
}

async function jsonOf(made: Reply | Promise<Reply>): Promise<JsonReply> {
  const reply = await made;
  if (!("body" in reply)) throw new HttpError(500, "the report is not JSON");
  return { status: reply.status, body: reply.body };
}
