/** Lazy objects with all members of a class, whose real instance is created only on demand. */

/** Returns the real object; `member` is about to be read or called on it. */
export type RealOf<Lazy, Real> = (lazy: Lazy, member: string | symbol) => Real;

/**
 * Adds to the prototype `lazy` the members of the prototype `real` that it lacks, each delegating to the real object.
 * Instances of `lazy` then pass `instanceof` for the real class.
 */
export function delegateMembers<Lazy extends object, Real extends object>(
  lazy: Lazy,
  real: object,
  realOf: RealOf<Lazy, Real>,
): void {
  Reflect.deleteProperty(lazy, "constructor");
  for (const name of Reflect.ownKeys(real)) {
    const descriptor = Object.getOwnPropertyDescriptor(real, name) as PropertyDescriptor;
    if (name === "constructor" || Object.hasOwn(lazy, name)) continue;
    const { get, value } = descriptor;
    if (get !== undefined) {
      Object.defineProperty(lazy, name, {
        ...descriptor,
        get(this: Lazy) {
          return Reflect.apply(get, realOf(this, name), []);
        },
      });
    } else if (typeof value === "function") {
      Object.defineProperty(lazy, name, {
        ...descriptor,
        value(this: Lazy, ...args: unknown[]) {
          return Reflect.apply(value, realOf(this, name), args);
        },
      });
    }
  }
  Object.setPrototypeOf(lazy, real);
}
