/** The ways of the plan as configurations of the server, and as connections of its clients. */
import { copyFileSync, renameSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { TestAuthority } from "../support/certificates.ts";
import { ClientTls } from "../support/client-tls.ts";
import { FIXTURES } from "../support/command.ts";
import type { Target } from "../support/load.ts";
import type { Way } from "./plan.ts";

const MODULES = { gateway: "app.mjs", fetch: "fetch.mjs", listener: "listener.mjs", server: "server.mjs" };
const INTERFACES = { gateway: "gateway", fetch: "fetch", listener: "node", server: "server" };

/** The source of the app, which a release would bring. */
export function sourceOf({ app }: Way): string {
  const module = JSON.stringify(join(FIXTURES, "chaos", MODULES[app]));
  return app === "server" ? `import ${module};\n` : `export { app } from ${module};\n`;
}

export function configurationOf({ app, tls, http2 }: Way, workers: number): string {
  const files = tls && { certfile: "site.pem", keyfile: "site.key" };
  const settings = {
    workers,
    app: app === "server" ? "app.mjs" : "app.mjs:app",
    interface: INTERFACES[app],
    httpProtocols: http2 ? "h1,h2" : "h1",
    ...files,
  };
  return `${JSON.stringify(settings)}\n`;
}

/** Certificates that the server changes among, and the clients' side of TLS. */
export class Certificates {
  /** For TLS 1.3, 1.2, and HTTP/2. */
  readonly clients: Readonly<Record<"1.3" | "1.2" | "h2", ClientTls>>;
  readonly #folder: string;
  #number = 0;

  constructor(folder: string) {
    this.#folder = folder;
    const authority = new TestAuthority(folder);
    for (const number of [0, 1, 2]) authority.sign(`certificate-${number}`);
    const trust = { ca: authority.pem };
    this.clients = {
      "1.3": new ClientTls({ ...trust, minVersion: "TLSv1.3" }),
      "1.2": new ClientTls({ ...trust, maxVersion: "TLSv1.2" }),
      h2: new ClientTls({ ...trust, ALPNProtocols: ["h2"] }),
    };
    this.renew();
  }

  /** Puts the next certificate in place. */
  renew(): void {
    this.#number = (this.#number + 1) % 3;
    this.#place("pem", this.#number);
    this.#place("key", this.#number);
  }

  /** Puts a key in place that is not the certificate's; `mend` puts the right one back. */
  spoil(): void {
    this.#place("key", (this.#number + 1) % 3);
  }

  mend(): void {
    this.#place("key", this.#number);
  }

  #place(end: string, number: number): void {
    const file = join(this.#folder, `site.${end}`);
    copyFileSync(join(this.#folder, `certificate-${number}.${end}`), `${file}.new`);
    renameSync(`${file}.new`, file);
  }
}

export interface Opened {
  readonly socket: Socket;
  /** Resolves when it can be written to; never if it fails before. */
  readonly ready: Promise<void>;
}

/** A connection, in the clear or over TLS. */
export function openTo({ tls, ...target }: Target): Opened {
  const where = { host: "127.0.0.1", ...target, noDelay: true };
  const socket = tls === undefined ? connect(where) : tls.connect(where);
  const ready = new Promise<void>((resolve) =>
    socket.once(tls === undefined ? "connect" : "secureConnect", () => resolve()),
  );
  return { socket, ready };
}
