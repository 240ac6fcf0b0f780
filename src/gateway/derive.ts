/** A request with some members replaced, for middleware. All other members stay unchanged and lazy. */
import type { GatewayRequest } from "./types.ts";

/** The members to replace; `state` may have another type. */
export type RequestChanges<State> = Partial<Omit<GatewayRequest, "state">> & { readonly state?: State };

/**
 * Returns a request with the members of `changes`, and those of `request` otherwise. A spread
 * (`{ ...request }`) would lose the members that are computed on demand.
 */
export function derive<Before, After = Before>(
  request: GatewayRequest<Before>,
  changes: RequestChanges<After>,
): GatewayRequest<After> {
  // Not a proxy of the request itself: a proxy must return the members of a frozen object unchanged.
  const empty: object = Object.create(Object.getPrototypeOf(request));
  return new Proxy(empty, new DerivedMembers(request, changes)) as GatewayRequest<After>;
}

/** Reads the changes first and then the request; writes to the request. */
class DerivedMembers implements ProxyHandler<object> {
  readonly #request: GatewayRequest;
  readonly #changes: object;
  readonly #methods = new Map<string, unknown>();

  constructor(request: GatewayRequest, changes: object) {
    this.#request = request;
    this.#changes = changes;
  }

  get(_empty: object, name: string | symbol): unknown {
    if (Object.hasOwn(this.#changes, name)) return Reflect.get(this.#changes, name);
    const request = this.#request;
    // Any other function is a value, such as a callable `state`: binding it would return a different function without
    // its properties.
    if (name === "extend" || name === "waitUntil") return this.#bound(name);
    // The receiver must be the request itself: its getters read private fields.
    return Reflect.get(request, name, request);
  }

  #bound(name: "extend" | "waitUntil"): unknown {
    const known = this.#methods.get(name);
    if (known !== undefined) return known;
    const bound: unknown = this.#request[name].bind(this.#request);
    this.#methods.set(name, bound);
    return bound;
  }

  has(_empty: object, name: string | symbol): boolean {
    return Object.hasOwn(this.#changes, name) || Reflect.has(this.#request, name);
  }

  ownKeys(): (string | symbol)[] {
    return Reflect.ownKeys(this.#request);
  }

  getOwnPropertyDescriptor(_empty: object, name: string | symbol): PropertyDescriptor | undefined {
    const descriptor = Reflect.getOwnPropertyDescriptor(this.#request, name);
    // A proxy must not claim that a member is fixed that its target does not have.
    return descriptor && { ...descriptor, configurable: true };
  }

  defineProperty(_empty: object, name: string | symbol, descriptor: PropertyDescriptor): boolean {
    return Reflect.defineProperty(this.#request, name, descriptor);
  }

  deleteProperty(_empty: object, name: string | symbol): boolean {
    return Reflect.deleteProperty(this.#request, name);
  }

  /** A request whose members are computed on demand cannot be frozen. */
  preventExtensions(): boolean {
    return false;
  }
}
