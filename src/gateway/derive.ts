/** A request with some members changed, for middleware: everything else stays as it is, and as lazy. */
import type { GatewayRequest } from "./types.ts";

/** Members that may be changed; `state` may be of another type. */
export type RequestChanges<State> = Partial<Omit<GatewayRequest, "state">> & { readonly state?: State };

/**
 * Makes a request that has the members of `changes` and is `request` in everything else. A spread
 * (`{ ...request }`) would lose what is made on demand.
 */
export function derive<Before, After = Before>(
  request: GatewayRequest<Before>,
  changes: RequestChanges<After>,
): GatewayRequest<After> {
  return new Proxy(request, {
    get(target, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name);
      // The request itself is the receiver: getters with private fields know no other.
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    has: (target, name) => Object.hasOwn(changes, name) || Reflect.has(target, name),
  }) as unknown as GatewayRequest<After>;
}
