/** Bun: Bun.serve for fetch apps, its node:http for frameworks. */
import { join } from "node:path";
import { APPS, requireProgram, versionOf } from "../lib/programs.ts";
import type { Server } from "../lib/server.ts";
import { fetchAppOf, programOf, variables } from "./node.ts";

const bun = (): string => requireProgram("bun", "npm run bench:install");

export const BUN: Server = {
  name: "bun",
  what: "Bun.serve, or the framework's own listen() under Bun",
  version: () => versionOf(bun(), "--version"),
  command(launch, place) {
    if (launch.workers !== 1 || typeof place.address === "string") return undefined;
    const app = fetchAppOf(launch.app);
    const program =
      app === undefined ? programOf(launch.app) : { file: "programs/bun.mjs", env: { APP: app } };
    if (program === undefined) return undefined;
    const env = { ...variables(launch, place), ...program.env };
    return { words: [bun(), join(APPS, program.file)], env };
  },
};
