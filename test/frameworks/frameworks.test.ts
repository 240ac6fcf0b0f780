/**
 * Frameworks, built by their own tools and served unmodified: `npm run test:frameworks [NAME…]`. It installs their
 * packages, which takes minutes and a network, so no other run includes it.
 */
import { test } from "node:test";
import { hasComponent } from "../support/component.ts";
import { FRAMEWORKS } from "./catalogue.ts";
import { httpJourney } from "./journey.ts";
import { socketJourney } from "./socket-journey.ts";

const names = (process.env.TSGUN_TEST_FRAMEWORKS ?? "").split(" ").filter((name) => name !== "");
const unknown = names.filter((name) => !FRAMEWORKS.some((framework) => framework.name === name));
if (unknown.length > 0) {
  const known = FRAMEWORKS.map((framework) => framework.name).join(", ");
  throw new Error(`no framework is named ${unknown.join(", ")}: there are ${known}`);
}

for (const framework of FRAMEWORKS) {
  if (names.length > 0 && !names.includes(framework.name)) continue;
  test(framework.name, async (context) => {
    if (!hasComponent(context, "nginx")) return;
    if (framework.requests === undefined) await socketJourney(context, framework);
    else await httpJourney(context, framework, framework.requests);
  });
}
