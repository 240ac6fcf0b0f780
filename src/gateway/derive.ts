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
  let extend: GatewayRequest["extend"] | undefined;
  return new Proxy(request, {
    get(target, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name);
      // The only method of a request. Any other function is a value, such as a `state` that can be called: binding
      // it would make another function of it, without its properties.
      if (name === "extend") {
        extend ??= target.extend.bind(target);
        return extend;
      }
      // The request itself is the receiver: getters with private fields know no other.
      return Reflect.get(target, name, target);
    },
    has: (target, name) => Object.hasOwn(changes, name) || Reflect.has(target, name),
  }) as unknown as GatewayRequest<After>;
}
