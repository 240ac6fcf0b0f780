/**
 * The stage of TLS: the handshake, by Node's own tls.Server, which gets the connections that the worker has accepted. A
 * connection leaves it with the handshake done, whatever the client has sent behind it still unread.
 */
import type { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import type { ConnectionFacts } from "./facts.ts";
import { ClientLeft, Refusal } from "./refusal.ts";
import { chooseByName } from "./server-names.ts";
import type { Stage } from "./stage.ts";
import { tlsInfoOf } from "./tls-info.ts";

/** RFC 9325 section 3.1.3, and OpenSSL's own default from version 3 on: clients may not ask for a new handshake. */
const NO_RENEGOTIATION = 1 << 30;

export interface TlsStageOptions {
  /** For clients that ask for no name, or for one that none of `contexts` has. */
  readonly context: TlsOptions;
  readonly contexts: readonly { readonly names: readonly string[]; readonly value: SecureContext }[];
  /** The protocols to agree on (ALPN), the preferred one first; clients that offer only others are refused. None: no ALPN. */
  readonly protocols: readonly string[];
  readonly clientCertificates: "none" | "optional" | "required";
  /** 48 bytes, the same in all workers: a client resumes its session on any of them. */
  readonly ticketKeys: Buffer;
  /** Sessions are resumed only among servers with the same one. At most 32 bytes. */
  readonly sessionContext: string;
}

/** A connection in the handshake. */
interface Handshake {
  readonly facts: ConnectionFacts;
  /** As the server wants it. */
  readonly allowHalfOpen: boolean;
  resolve(socket: Socket): void;
  reject(error: Error): void;
}

/** A TLS socket, with the socket that it is made around. */
type Around = TLSSocket & { readonly _parent?: Socket };

export class TlsStage {
  readonly #server: Server;
  readonly #asksClients: boolean;
  readonly #handshakes = new Map<Socket, Handshake>();

  constructor(options: TlsStageOptions) {
    const { context, contexts, protocols, clientCertificates, ticketKeys, sessionContext } = options;
    this.#asksClients = clientCertificates !== "none";
    this.#server = createServer({
      honorCipherOrder: true,
      ...context,
      secureOptions: (context.secureOptions ?? 0) | NO_RENEGOTIATION,
      requestCert: this.#asksClients,
      rejectUnauthorized: clientCertificates === "required",
      ...(protocols.length > 0 && { ALPNProtocols: [...protocols] }),
      // It makes each handshake wait for a turn.
      ...(contexts.length > 1 && {
        SNICallback: (name: string, done: (error: null, context?: SecureContext) => void) =>
          done(null, chooseByName(contexts, name)),
      }),
      ticketKeys,
      sessionIdContext: sessionContext,
      // The front limits the time.
      handshakeTimeout: 0,
    });
    this.#server.on("secureConnection", (socket) => this.#finished(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
  }

  readonly stage: Stage = (socket, facts) =>
    new Promise((resolve, reject) => {
      this.#handshakes.set(socket, { facts, allowHalfOpen: socket.allowHalfOpen, resolve, reject });
      // However it ends: the client has left, or the front closes it. Node tells of a refused certificate after this event.
      socket.once("close", () => setImmediate(() => this.#take(socket)?.reject(new ClientLeft())));
      // Read from now on only by the TLS socket around it, which takes this over: a client that ends within the handshake is gone.
      socket.allowHalfOpen = false;
      this.#server.emit("connection", socket);
    });

  /** From now on tickets are made and read with these keys only. */
  setTicketKeys(keys: Buffer): void {
    this.#server.setTicketKeys(keys);
  }

  #take(socket: Socket | undefined): Handshake | undefined {
    if (socket === undefined) return undefined;
    const handshake = this.#handshakes.get(socket);
    this.#handshakes.delete(socket);
    return handshake;
  }

  #finished(socket: Around): void {
    const handshake = this.#take(socket._parent);
    if (handshake === undefined) {
      socket.destroy();
      return;
    }
    // Until the server listens for it.
    socket.on("error", () => {});
    const { facts, allowHalfOpen, resolve } = handshake;
    socket.allowHalfOpen = allowHalfOpen;
    facts.tls = tlsInfoOf(socket, this.#asksClients);
    if (facts.tls.alpn === "h2") facts.protocol = "h2";
    resolve(socket);
  }

  #failed(error: NodeJS.ErrnoException, socket: Around): void {
    const raw = socket._parent;
    if (error.code === "ERR_SSL_HTTP_REQUEST") raw?.write(PLAIN_HTTP);
    this.#take(raw)?.reject(refusalFor(error, socket));
  }
}

/** RFC 9110 section 15.5.1 leaves the choice; nginx answers in the same way. */
const PLAIN_TEXT = "The plain HTTP request was sent to an HTTPS port\n";
const PLAIN_HTTP =
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n" +
  `Content-Length: ${PLAIN_TEXT.length}\r\nConnection: close\r\n\r\n${PLAIN_TEXT}`;

function refusalFor(error: NodeJS.ErrnoException, socket: TLSSocket): Error {
  // Node's error for a client that leaves within the handshake.
  if (error.code === "ECONNRESET" && socket.authorizationError == null) return new ClientLeft();
  return new Refusal("tls_handshake", reasonOf(error, socket), { cause: error });
}

const NO_CERTIFICATE = "the client has no certificate";

/** As a clause. OpenSSL's own words are in the last part of its message. */
function reasonOf(error: NodeJS.ErrnoException & { reason?: string }, socket: TLSSocket): string {
  const rejected = socket.authorizationError as unknown as string | null | undefined;
  if (rejected != null && error.code === "ECONNRESET")
    return rejected === "UNABLE_TO_GET_ISSUER_CERT"
      ? NO_CERTIFICATE
      : `the client's certificate is refused (${rejected})`;
  if (error.code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return NO_CERTIFICATE;
  if (error.code === "ERR_SSL_HTTP_REQUEST") return "the client sent plain HTTP to a port of TLS";
  return error.reason ?? error.message;
}
