/** Writes `tsgun.config.ts`, or `.mjs` for a project without TypeScript. */
import { formatAddress } from "../../config/address.ts";
import type { Deployment } from "./deployment.ts";

export function configFileName({ typescript }: Pick<Deployment, "typescript">): string {
  return typescript ? "tsgun.config.ts" : "tsgun.config.mjs";
}

export function configFile({ app, bind }: Deployment): string {
  const address =
    bind === undefined ? "" : `  // nginx connects here.\n  bind: ${JSON.stringify(formatAddress(bind))},\n`;
  return `import { defineConfig } from "tsgun";

// Every setting: tsgun --help. The command line and TSGUN_… variables override this file.
export default defineConfig({
  app: ${JSON.stringify(app)},
${address}  // One per CPU that this process may use.
  workers: "auto",
});
`;
}
