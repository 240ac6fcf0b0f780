/**
 * The token and the sessions of browsers that have given it. A session is a signed time and nothing that the server
 * keeps, so that it outlives an upgrade: another arbiter with the same token accepts it.
 */
import { createHash, createHmac, scrypt } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { promisify } from "node:util";
import { HttpError } from "../../errors.ts";
import { Failures } from "./failures.ts";
import { isSame } from "./gate.ts";

const SESSION_MS = 12 * 3600_000;

/** The sender of a request, and the time. */
export interface Caller {
  readonly headers: IncomingHttpHeaders;
  /** The address of the client or proxy; "" for a Unix socket. */
  readonly remote: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export class Sessions {
  readonly #digest: Buffer;
  readonly #key: Buffer;
  readonly #cookie: string;
  readonly #failures = new Failures();

  private constructor(token: string, key: Buffer) {
    this.#digest = digestOf(token);
    this.#key = key;
    // Browsers send cookies to every port of a host: servers on one host must not overwrite each other's.
    this.#cookie = `tsgun-${this.#sign("name").toString("hex").slice(0, 12)}`;
  }

  /** Takes the time of a password hash: who steals a cookie cannot try tokens against it quickly. */
  static async create(token: string): Promise<Sessions> {
    const derive = promisify(scrypt) as (secret: string, salt: string, length: number) => Promise<Buffer>;
    return new Sessions(token, await derive(token, "tsgun dashboard", 32));
  }

  /** Whether a cookie of this server is there and valid. */
  hasSession({ headers, now }: Pick<Caller, "headers" | "now">): boolean {
    const value = cookieOf(headers.cookie, this.#cookie);
    const [, expiry = "", signature = ""] = /^(\d{1,15})\.([\w-]{43})$/.exec(value ?? "") ?? [];
    return Number(expiry) > now && isSame(Buffer.from(signature, "base64url"), this.#sign(expiry));
  }

  /**
   * Requires the token, in the field Authorization, or a session.
   * @throws HttpError 401 without either or with a wrong one, 429 after too many wrong ones
   */
  require(caller: Caller): void {
    if (this.hasSession(caller)) return;
    const [, token] = /^bearer +(\S+)$/i.exec(caller.headers.authorization ?? "") ?? [];
    if (token === undefined)
      throw new HttpError(401, "the dashboard needs the token: log in, or send Authorization: Bearer TOKEN");
    this.#check(token, caller);
  }

  /**
   * Begins a session; returns the cookie to set.
   * @throws HttpError 401 for a wrong token, 429 after too many
   */
  logIn(token: string, caller: Caller): string {
    this.#check(token, caller);
    const expiry = String(caller.now + SESSION_MS);
    return this.#setCookie(
      `${expiry}.${this.#sign(expiry).toString("base64url")}`,
      SESSION_MS / 1000,
      caller,
    );
  }

  /** Returns the cookie to set. */
  logOut(caller: Caller): string {
    return this.#setCookie("", 0, caller);
  }

  #check(token: string, { remote, now }: Caller): void {
    const wait = this.#failures.waitOf(remote, now);
    if (wait > 0) throw new HttpError(429, `too many wrong tokens: try again in ${Math.ceil(wait / 1000)} s`);
    if (isSame(digestOf(token), this.#digest)) return;
    this.#failures.add(remote, now);
    throw new HttpError(401, "the token is wrong");
  }

  /** Without Path a cookie belongs to the folder of the request that sets it, also where a proxy serves the page elsewhere. */
  #setCookie(value: string, maxAge: number, { headers }: Pick<Caller, "headers">): string {
    const isSecure = headers.origin?.startsWith("https:") === true;
    return `${this.#cookie}=${value}; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
  }

  #sign(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function cookieOf(field: string | undefined, name: string): string | undefined {
  const pair = field?.split(/; */).find((each) => each.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}
