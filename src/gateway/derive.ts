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
  let extend: GatewayRequest["extend"] | undefined;
  return new Proxy(request, {
    get(target, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name);
      // `extend` is the only method of a request. Any other function is a value, such as a callable `state`: binding
      // it would return a different function without its properties.
      if (name === "extend") {
        extend ??= target.extend.bind(target);
        return extend;
      }
      // The receiver must be the request itself: its getters read private fields.
      return Reflect.get(target, name, target);
    },
    has: (target, name) => Object.hasOwn(changes, name) || Reflect.has(target, name),
  }) as unknown as GatewayRequest<After>;
}
