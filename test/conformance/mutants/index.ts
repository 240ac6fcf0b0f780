/** All mutants: what authors of servers get wrong. */
import { answerMutants } from "./answer.ts";
import { bodyMutants } from "./body.ts";
import { lifeMutants } from "./life.ts";
import type { Mutant } from "./mutant.ts";
import { requestMutants } from "./request.ts";

export const MUTANTS: readonly Mutant[] = [
  ...requestMutants,
  ...bodyMutants,
  ...answerMutants,
  ...lifeMutants,
];
