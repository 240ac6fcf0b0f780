/** One request over TLS, on a connection of its own, with what the client has seen of the handshake. */
import { once } from "node:events";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";

export interface TlsAnswer {
  /** The response as it was sent. */
  readonly text: string;
  /** Its content as JSON. */
  readonly json: Record<string, unknown>;
  readonly reused: boolean;
  readonly protocol: string | null;
  /** The common name of the server's certificate; undefined for a resumed session. */
  readonly server: string | undefined;
  /** The last session that the server has offered. */
  readonly session: Buffer | undefined;
}

/** @throws Error when the handshake fails, or the server ends it */
export async function connectTls(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", servername: "localhost", ...options });
  await once(socket, "secureConnect");
  return socket;
}

export async function askTls(options: ConnectionOptions, request = "GET / HTTP/1.1"): Promise<TlsAnswer> {
  const socket = await connectTls(options);
  // That of TLS 1.2 has come with the handshake.
  let session = socket.getProtocol() === "TLSv1.2" ? socket.getSession() : undefined;
  socket.on("session", (offered) => {
    session = offered;
  });
  const server = socket.getPeerCertificate().subject?.CN;
  const reused = socket.isSessionReused();
  const protocol = socket.getProtocol();
  socket.write(`${request}\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  let text = "";
  for await (const chunk of socket.setEncoding("utf8")) text += chunk;
  const content = text.slice(text.indexOf("\r\n\r\n") + 4);
  const json = content.startsWith("{") ? (JSON.parse(content) as Record<string, unknown>) : {};
  return { text, json, reused, protocol, server: server as string | undefined, session };
}
