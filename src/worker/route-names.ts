/** Routes by number, a bounded count of them, with names that the key of a series can hold. */

/** Numbers that every table has. */
export const NO_ROUTE = 0;
export const OTHER_ROUTE = 1;

export const MAX_ROUTES = 200;
/** A key has 120 bytes, and the longest other labels take 40 of them. */
const MAX_LENGTH = 80;

export class RouteNames {
  readonly #numbers = new Map<string, number>();
  readonly #names = ["", "_other"];

  /** @param route as the app has named it; "" if it has not */
  numberOf(route: string): number {
    if (route === "") return NO_ROUTE;
    const known = this.#numbers.get(route);
    if (known !== undefined) return known;
    if (this.#numbers.size === MAX_ROUTES) return OTHER_ROUTE;
    const number = this.#names.push(route.slice(0, MAX_LENGTH).replace(UNFIT, "?")) - 1;
    this.#numbers.set(route, number);
    return number;
  }

  nameOf(number: number): string {
    return this.#names[number] as string;
  }
}

/** A key is Latin-1, and `|` separates its labels. */
const UNFIT = /[^\x20-\x7b\x7d\x7e\xa0-\xff]/g;
