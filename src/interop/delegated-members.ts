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
    if (name === "constructor") continue;
    if (Object.hasOwn(lazy, name)) {
      // `for (const name in request)` lists the members of a real one.
      Object.defineProperty(lazy, name, { enumerable: descriptor.enumerable === true });
      continue;
    }
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

/**
 * Forwards the symbols through which Node reads the internals of a real object.
 *
 * @param sample a real object
 * @returns false if it has none: its internals are private fields
 */
export function forwardSymbols<Lazy extends object, Real extends object>(
  lazy: Lazy,
  sample: Real,
  realOf: RealOf<Lazy, Real>,
): boolean {
  const symbols = Object.getOwnPropertySymbols(sample);
  for (const symbol of symbols) {
    Object.defineProperty(lazy, symbol, {
      configurable: true,
      get(this: Lazy) {
        return Reflect.get(realOf(this, symbol), symbol);
      },
      set(this: Lazy, value: unknown) {
        Reflect.set(realOf(this, symbol), symbol, value);
      },
    });
  }
  return symbols.length > 0;
}

/**
 * Makes the members of the prototype `real` accept lazy objects, for those who call them on one without looking them up
 * on it: `Request.prototype.text.call(request)`. Needed where Node checks for private fields.
 */
export function acceptLazy(real: object, unwrap: (value: unknown, member: string | symbol) => unknown): void {
  /** A function that is there under two names stays one: Node recognises `Headers` by its iterator. */
  const accepting = new Map<unknown, unknown>();
  for (const name of Reflect.ownKeys(real)) {
    const descriptor = Object.getOwnPropertyDescriptor(real, name) as PropertyDescriptor;
    if (name === "constructor") continue;
    for (const kind of ["get", "value"] as const) {
      const original: unknown = descriptor[kind];
      if (typeof original !== "function") continue;
      const replaced = accepting.get(original) ?? acceptingFunction(original as AnyFunction, name, unwrap);
      accepting.set(original, replaced);
      Object.defineProperty(real, name, { ...descriptor, [kind]: replaced });
    }
  }
}

type AnyFunction = (...args: unknown[]) => unknown;

function acceptingFunction(
  original: AnyFunction,
  member: string | symbol,
  unwrap: (value: unknown, member: string | symbol) => unknown,
): AnyFunction {
  // A method, so that it is no constructor.
  const { accept } = {
    accept(this: unknown, ...args: unknown[]): unknown {
      return Reflect.apply(original, unwrap(this, member), args);
    },
  };
  for (const name of ["name", "length"])
    Object.defineProperty(
      accept,
      name,
      Object.getOwnPropertyDescriptor(original, name) as PropertyDescriptor,
    );
  return accept;
}
