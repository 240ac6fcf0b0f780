/** The first bytes of a connection are no PROXY header. The message says why, after "the connection from …". */
export class ProxyHeaderError extends Error {
  override name = "ProxyHeaderError";
}
