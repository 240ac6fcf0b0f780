/** TLS as a client that comes again speaks it: it resumes the session that the server offered it last. */
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";

/** Errors that end a handshake when the other side goes away. Anything else is a fault of the server. */
const ENDED = /^(ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|ENOENT)$/;

export class ClientTls {
  /** Handshakes in full, and those that resumed a session. */
  full = 0;
  resumed = 0;
  readonly #options: ConnectionOptions;
  #session: Buffer | undefined;

  /** @param options the authority to trust, versions, protocols */
  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  connect(where: ConnectionOptions): TLSSocket {
    const resumption = this.#session === undefined ? {} : { session: this.#session };
    const socket = connect({ servername: "localhost", ...this.#options, ...where, ...resumption });
    socket.on("session", (session) => {
      this.#session = session;
    });
    socket.once("secureConnect", () => {
      if (socket.isSessionReused()) this.resumed += 1;
      else this.full += 1;
    });
    return socket;
  }
}

/** Whether a handshake failed because the other side ended it, and not because of what it said. */
export function isCutOff(error: NodeJS.ErrnoException): boolean {
  return ENDED.test(error.code ?? "");
}
