/**
 * Gives an object members of its own that its prototype had, after an app has set another prototype: what the app, or node,
 * still calls must find the object that it was made for. Without it an error could come from anywhere, and end the worker.
 */

/** @param prototype what the object was made with @param base where the members end that need no such care */
export function shield(object: object, prototype: object, base: object): void {
  for (
    let from: object | null = prototype;
    from !== null && from !== base;
    from = Object.getPrototypeOf(from)
  ) {
    for (const key of Reflect.ownKeys(from)) {
      if (key === "constructor" || Object.hasOwn(object, key)) continue;
      Object.defineProperty(object, key, Object.getOwnPropertyDescriptor(from, key) as PropertyDescriptor);
    }
  }
}
