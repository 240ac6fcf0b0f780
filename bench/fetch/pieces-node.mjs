// The baseline: the same pieces through node:http.
import { createServer } from "node:http";
import { pieces } from "./pieces.mjs";

createServer(async (_request, response) => {
  response.setHeader("Content-Type", "text/plain");
  for await (const piece of pieces())
    if (!response.write(piece)) await new Promise((go) => response.once("drain", go));
  response.end();
}).listen(Number(process.argv[2]), "127.0.0.1");
