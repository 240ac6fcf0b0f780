/** Makes the stage of TLS from what the arbiter has read, and from the hook `sslContext`. Loaded only with TLS. */
import { createHash } from "node:crypto";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { SslContextHook } from "../config/hooks.ts";
import type { Config } from "../config/settings.ts";
import type { AssignedTls } from "../ipc/tls-material.ts";
import { TlsStage } from "../server/front/tls-stage.ts";
import { HookFailure } from "./boot-error.ts";

export interface TlsNeeds {
  readonly assignment: { readonly settings: Config; readonly tls: AssignedTls | undefined };
  readonly sslContext: SslContextHook | undefined;
}

/**
 * Undefined without TLS.
 *
 * @param protocols as ALPN names them, the preferred one first; none: ALPN is not used
 * @throws HookFailure when the hook fails, or returns options that cannot be used
 */
export async function makeTlsStage(
  { assignment, sslContext }: TlsNeeds,
  protocols: readonly string[],
): Promise<TlsStage | undefined> {
  const { settings, tls } = assignment;
  if (tls === undefined) return undefined;
  const options: SecureContextOptions[] = [];
  for (const { certificate, key } of tls.certificates) {
    const defaults = (): SecureContextOptions => ({
      cert: certificate,
      key,
      minVersion: tls.minVersion,
      ciphers: tls.ciphers,
      ...(tls.authorities !== undefined && { ca: tls.authorities }),
    });
    options.push(sslContext === undefined ? defaults() : await sslContext(settings, defaults));
  }
  try {
    return new TlsStage({
      context: options[0] ?? {},
      contexts: tls.certificates.map(({ names }, index) => ({
        names,
        value: createSecureContext(options[index] as SecureContextOptions),
      })),
      protocols,
      clientCertificates: tls.clientCertificates,
      ticketKeys: Buffer.from(tls.ticketKeys, "base64"),
      sessionContext: sessionContext(tls),
    });
  } catch (error) {
    // The arbiter has tried what comes from the settings.
    throw sslContext === undefined ? error : new HookFailure("sslContext", error);
  }
}

/** A session of a client that was accepted by other rules is not resumed. */
function sessionContext({ authorities = "", clientCertificates }: AssignedTls): string {
  return createHash("sha256").update(`${clientCertificates}\n${authorities}`).digest("base64").slice(0, 32);
}
