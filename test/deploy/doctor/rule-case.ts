/** A situation in which a rule finds one thing, and one like it in which it finds nothing. */
import type { Situation } from "../../support/doctor.ts";

export interface Case {
  readonly rule: string;
  /** The difference between the two. */
  readonly what: string;
  readonly ill: Situation;
  readonly well: Situation;
  /** Where it is found. */
  readonly where: string;
  readonly says: RegExp;
}
