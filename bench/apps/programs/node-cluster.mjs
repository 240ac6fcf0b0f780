// A pool on node:cluster as in Node's documentation, in one file. With LISTENER it serves that module's listener.
import cluster from "node:cluster";
import { createServer } from "node:http";

const { LISTENER, PORT, WORKERS, KEEP_ALIVE } = process.env;

if (cluster.isPrimary) {
  for (let count = 0; count < Number(WORKERS); count += 1) cluster.fork();
  process.on("SIGTERM", () => cluster.disconnect(() => process.exit()));
} else {
  const hello = (_request, response) => {
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
    response.end("Hello, world\n");
  };
  const server = createServer(LISTENER ? (await import(LISTENER)).listener : hello);
  if (KEEP_ALIVE) server.keepAliveTimeout = Number(KEEP_ALIVE) * 1000;
  server.listen(Number(PORT), "127.0.0.1");
}
