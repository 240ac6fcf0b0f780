/** The head of a response that middleware may change before it is sent. */
import { fieldPairs, rawFields } from "./fields.ts";
import type { HeadersInput } from "./types.ts";

/** Header fields in their order, found by name in any case. What is set is checked when the head is sent. */
export class AnswerFields implements Iterable<readonly [string, string]> {
  #pairs: (readonly [string, string])[];

  /** @throws GatewayError for fields that must not be sent */
  constructor(headers: HeadersInput | null | undefined) {
    this.#pairs = fieldPairs(rawFields(headers));
  }

  /** The first value of a field; undefined if there is none. */
  get(name: string): string | undefined {
    return this.#pairs.find(isNamed(name))?.[1];
  }

  /** Every value of a field, in order. */
  all(name: string): string[] {
    return this.#pairs.filter(isNamed(name)).map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.#pairs.some(isNamed(name));
  }

  /** Replaces all fields of this name by one. */
  set(name: string, value: string): void {
    this.delete(name);
    this.append(name, value);
  }

  /** Adds a field, whether or not there are some of this name. */
  append(name: string, value: string): void {
    this.#pairs.push([name, value]);
  }

  /** Adds a member to a list, such as Vary, unless it has it. */
  addToList(name: string, member: string): void {
    const members = this.all(name).flatMap((value) => value.split(",").map((each) => each.trim()));
    if (members.some((each) => each.toLowerCase() === member.toLowerCase())) return;
    this.set(name, [...members.filter((each) => each !== ""), member].join(", "));
  }

  delete(name: string): void {
    const named = isNamed(name);
    this.#pairs = this.#pairs.filter((pair) => !named(pair));
  }

  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.#pairs[Symbol.iterator]();
  }
}

function isNamed(name: string): (pair: readonly [string, string]) => boolean {
  const wanted = name.toLowerCase();
  return ([each]) => each.toLowerCase() === wanted;
}

/** The head of a response before it is sent. */
export interface AnswerHead {
  status: number;
  readonly headers: AnswerFields;
}
