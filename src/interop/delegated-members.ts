/** Lazy stand-ins: objects with all members of a class, whose real instance is created only on demand. */

/** Returns the real object; `member` is about to be read or called on it. */
export type RealOf<Stand, Real> = (stand: Stand, member: string | symbol) => Real;

/**
 * Adds to the prototype `stand` the members of the prototype `real` that it lacks, each forwarding to the real object.
 * Instances of `stand` then pass `instanceof` for the real class.
 */
export function forwardMembers<Stand extends object, Real extends object>(
  stand: Stand,
  real: object,
  realOf: RealOf<Stand, Real>,
): void {
  Reflect.deleteProperty(stand, "constructor");
  for (const name of Reflect.ownKeys(real)) {
    const descriptor = Object.getOwnPropertyDescriptor(real, name) as PropertyDescriptor;
    if (name === "constructor" || Object.hasOwn(stand, name)) continue;
    const { get, value } = descriptor;
    if (get !== undefined) {
      Object.defineProperty(stand, name, {
        ...descriptor,
        get(this: Stand) {
          return Reflect.apply(get, realOf(this, name), []);
        },
      });
    } else if (typeof value === "function") {
      Object.defineProperty(stand, name, {
        ...descriptor,
        value(this: Stand, ...given: unknown[]) {
          return Reflect.apply(value, realOf(this, name), given);
        },
      });
    }
  }
  Object.setPrototypeOf(stand, real);
}
