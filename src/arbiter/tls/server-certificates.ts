/**
 * Reads the certificates and keys for a generation, as the arbiter's user. The files are read before anything of the
 * generation starts, so that a fault in them changes nothing.
 */
import type { Configuration } from "../../config/config.ts";
import type { Config } from "../../config/settings.ts";
import { ExitCode, FatalError } from "../../errors.ts";
import type { AssignedTls, TlsMaterial } from "../../ipc/tls-material.ts";
import type { ErrorLog } from "../../log/error-log.ts";
import type { TicketKeys } from "./ticket-keys.ts";

export class ServerCertificates {
  readonly #folder: string;
  readonly #log: Pick<ErrorLog, "warning">;
  /** Undefined without TLS. */
  #ticketKeys: TicketKeys | undefined;

  /** @param folder that relative names are in */
  constructor(folder: string, log: Pick<ErrorLog, "warning">) {
    this.#folder = folder;
    this.#log = log;
  }

  /**
   * Reads what the configuration of the start names.
   * @throws FatalError that names the setting and the file
   */
  async readFirst(config: Config): Promise<TlsMaterial | undefined> {
    const material = await this.#read(config);
    if (material === undefined) return undefined;
    const { TicketKeys } = await import("./ticket-keys.ts");
    this.#ticketKeys = new TicketKeys(() => performance.now());
    return material;
  }

  /** The part that a worker gets. */
  assign(material: TlsMaterial | undefined): AssignedTls | undefined {
    if (material === undefined || this.#ticketKeys === undefined) return undefined;
    return { ...material, ticketKeys: this.#ticketKeys.current };
  }

  /** The keys of session tickets that a worker should have; undefined without TLS. */
  get ticketKeys(): string | undefined {
    return this.#ticketKeys?.current;
  }

  /** Returns new keys of session tickets, for the workers, when they are due. */
  newTicketKeys(): string | undefined {
    return this.#ticketKeys?.review();
  }

  /**
   * Adds what the configuration of a reload names.
   *
   * @param serving what the generation that serves has
   * @throws FatalError that names the setting and the file, or if TLS would begin or end
   */
  async complete(configuration: Configuration, serving: TlsMaterial | undefined): Promise<Configuration> {
    const tls = await this.#read(configuration.config);
    if ((tls === undefined) !== (serving === undefined))
      throw new FatalError(
        `certfile: TLS cannot be turned ${tls === undefined ? "off" : "on"} by a reload: restart, or upgrade by USR2`,
        ExitCode.usage,
      );
    // Both may have expired: then the reload is about something else.
    const expired = tls?.certificates.find(({ notAfter }) => notAfter < Date.now());
    if (
      expired !== undefined &&
      serving?.certificates.every(({ notAfter }) => notAfter >= Date.now()) === true
    )
      throw new FatalError(
        `certfile: ${expired.file} has expired, unlike the certificates in use`,
        ExitCode.usage,
      );
    return { ...configuration, tls };
  }

  async #read(config: Config): Promise<TlsMaterial | undefined> {
    // Most servers have none, and load no module for it.
    if (!namesTls(config)) return undefined;
    const { readTls } = await import("../../tls/certificate-files.ts");
    const read = await readTls(config, this.#folder);
    for (const warning of read?.warnings ?? []) this.#log.warning(warning);
    return read?.material;
  }
}

/** Whether a setting is there that asks for TLS, or makes no sense without. */
export function namesTls({ certfile, keyfile, caCerts, certReqs }: Config): boolean {
  return certfile !== undefined || keyfile !== undefined || caCerts !== undefined || certReqs !== "none";
}
