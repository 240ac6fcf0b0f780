// Baseline of bench:start: a pool on node:cluster as in Node's documentation, in one file.
import cluster from "node:cluster";
import { createServer } from "node:http";

const [port, workers] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
  for (let count = 0; count < workers; count += 1) cluster.fork();
  process.on("SIGTERM", () => cluster.disconnect(() => process.exit()));
} else {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
    response.end("Hello, world\n");
  });
  server.listen(port, "127.0.0.1");
}
