/** The answers that take time, or code that no start needs. A deploy may have deleted the release by the time it is asked for. */
import type { Question } from "../../ipc/question.ts";
import type { InjectTarget } from "./inject.ts";

/** @throws Error with one line */
export async function answerLater(
  serving: InjectTarget,
  question: Exclude<Question, { readonly about: "requests" }>,
): Promise<unknown> {
  if (question.about === "app-metrics") {
    const { appMetrics } = await import("./app-metrics.ts");
    return await appMetrics();
  }
  const { inject } = await import("./inject.ts");
  return await inject(serving, question.request);
}
