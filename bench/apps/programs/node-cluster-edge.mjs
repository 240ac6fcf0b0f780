// A pool on node:cluster that speaks TLS, HTTP/2 or both: LISTENER is the module of its listener, PROTOCOL the protocol.
import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import { createServer as createHttp2Server, createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";

const { LISTENER, PORT, WORKERS, PROTOCOL, CERTIFICATE, KEY, KEEP_ALIVE } = process.env;

function create(listener) {
  if (PROTOCOL === "h2c") return createHttp2Server(listener);
  const options = { cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) };
  return PROTOCOL === "h2" ? createSecureServer(options, listener) : createHttpsServer(options, listener);
}

if (cluster.isPrimary) {
  for (let count = 0; count < Number(WORKERS); count += 1) cluster.fork();
  process.on("SIGTERM", () => process.exit());
} else {
  const { listener } = await import(LISTENER);
  const server = create(listener);
  if (KEEP_ALIVE) server.keepAliveTimeout = Number(KEEP_ALIVE) * 1000;
  server.listen(Number(PORT), "127.0.0.1");
}
