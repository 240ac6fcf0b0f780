// Baseline: the same response from node:http, in one process, as in Node's documentation.
import { createServer } from "node:http";

const server = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  response.end("Hello, world\n");
});
server.listen(Number(process.argv[2]), "127.0.0.1");
