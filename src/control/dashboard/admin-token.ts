/** The token of the admin listener: from its setting, or from its file. */
import { readFileSync } from "node:fs";
import { MIN_TOKEN } from "../../config/kind.ts";
import type { Config } from "../../config/settings.ts";
import { ExitCode, FatalError } from "../../errors.ts";

/**
 * Returns the token, or undefined if none is set.
 * @throws FatalError (usage) if its file cannot be read or holds none, or if both settings are there
 */
export function readAdminToken(config: Pick<Config, "adminToken" | "adminTokenFile">): string | undefined {
  const { adminToken, adminTokenFile } = config;
  if (adminTokenFile === undefined) return adminToken;
  if (adminToken !== undefined)
    throw new FatalError("admin-token and admin-token-file are both set: remove one", ExitCode.usage);
  let token: string;
  try {
    token = readFileSync(adminTokenFile, "utf8").trim();
  } catch (cause) {
    throw new FatalError(`admin-token-file: ${(cause as Error).message}`, ExitCode.usage, { cause });
  }
  if (token.length < MIN_TOKEN || /\s/.test(token))
    throw new FatalError(
      `admin-token-file: ${adminTokenFile} does not hold a token: at least ${MIN_TOKEN} characters without a space`,
      ExitCode.usage,
    );
  return token;
}
