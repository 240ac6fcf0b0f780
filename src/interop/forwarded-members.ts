/** An object in the place of one that is made only when it is needed, with all the members of that one's class. */

/** The real object; `member` is what is about to be read or called on it. */
export type RealOf<Stand, Real> = (stand: Stand, member: string | symbol) => Real;

/**
 * Gives `stand`, a prototype, the members of `real`, another one, that it has not got itself: each looks at the real
 * object. Afterwards its instances are instances of the real class too.
 */
export function forwardMembers<Stand extends object, Real extends object>(
  stand: Stand,
  real: object,
  realOf: RealOf<Stand, Real>,
): void {
  Reflect.deleteProperty(stand, "constructor");
  for (const name of Reflect.ownKeys(real)) {
    const there = Object.getOwnPropertyDescriptor(real, name) as PropertyDescriptor;
    if (name === "constructor" || Object.hasOwn(stand, name)) continue;
    const { get, value } = there;
    if (get !== undefined) {
      Object.defineProperty(stand, name, {
        ...there,
        get(this: Stand) {
          return Reflect.apply(get, realOf(this, name), []);
        },
      });
    } else if (typeof value === "function") {
      Object.defineProperty(stand, name, {
        ...there,
        value(this: Stand, ...given: unknown[]) {
          return Reflect.apply(value, realOf(this, name), given);
        },
      });
    }
  }
  Object.setPrototypeOf(stand, real);
}
