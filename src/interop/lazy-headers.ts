/**
 * The fields of a lazy request. Most apps read a few of them by name, which needs no `Headers`; that becomes necessary
 * only to list or change them.
 */
import { isFieldName } from "../gateway/fields.ts";
import { acceptLazy, delegateMembers } from "./delegated-members.ts";

export class LazyHeaders {
  readonly #raw: readonly string[];
  #real: Headers | undefined;

  /** @param raw alternating names and values as received */
  constructor(raw: readonly string[]) {
    this.#raw = raw;
  }

  static real(lazy: LazyHeaders): Headers {
    if (lazy.#real === undefined) {
      lazy.#real = new Headers();
      appendRaw(lazy.#real, lazy.#raw);
    }
    return lazy.#real;
  }

  /** Returns the real fields of lazy ones, and any other value unchanged. */
  static unwrap(value: unknown): unknown {
    return typeof value === "object" && value !== null && #raw in value ? LazyHeaders.real(value) : value;
  }

  /** Moves the fields to those of a new real request, which the app can change from now on through either. */
  static moveTo(headers: Headers, lazy: LazyHeaders): void {
    if (lazy.#real === undefined) appendRaw(headers, lazy.#raw);
    else for (const [name, value] of lazy.#real) headers.append(name, value);
    lazy.#real = headers;
  }

  get(...args: [name: string]): string | null {
    const value = this.#find(args[0]);
    return value === undefined ? LazyHeaders.real(this).get(...args) : value;
  }

  has(...args: [name: string]): boolean {
    const value = this.#find(args[0]);
    return value === undefined ? LazyHeaders.real(this).has(...args) : value !== null;
  }

  /** The value of a field as received, null if there is none; undefined if that is for the real fields to say. */
  #find(name: unknown): string | null | undefined {
    if (this.#real !== undefined || typeof name !== "string") return undefined;
    const value = combined(this.#raw, name.toLowerCase());
    if (value !== undefined) return value;
    // The real methods refuse what is no name. Those that were received are.
    return isFieldName(name) ? null : undefined;
  }

  forEach(...args: Parameters<Headers["forEach"]>): void {
    const [callback, self] = args;
    const real = LazyHeaders.real(this);
    if (typeof callback !== "function") real.forEach(...args);
    // The callback gets the object that it is called for.
    else
      real.forEach((value, name) => {
        Reflect.apply(callback, self, [value, name, this as unknown as Headers]);
      });
  }
}

export function appendRaw(headers: Headers, raw: readonly string[]): void {
  for (let index = 0; index < raw.length; index += 2)
    headers.append(raw[index] as string, raw[index + 1] as string);
}

/** The value of a field as `Headers` combines repeated ones, which is not as the gateway does. */
function combined(raw: readonly string[], lower: string): string | undefined {
  let value: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    if (name.length !== lower.length || (name !== lower && name.toLowerCase() !== lower)) continue;
    const next = raw[index + 1] as string;
    value = value === undefined ? next : `${value}${lower === "cookie" ? "; " : ", "}${next}`;
  }
  return value;
}

/** Prepares the class, and makes the methods of `Headers` accept it. */
export function installLazyHeaders(): void {
  delegateMembers(LazyHeaders.prototype, Headers.prototype, LazyHeaders.real);
  acceptLazy(Headers.prototype, LazyHeaders.unwrap);
}
