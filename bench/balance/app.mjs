// The apps of bench:balance: they answer with their worker's pid, and block its loop where the path says so.
import { createServer } from "node:http";

function answerTo(path) {
  const blockMs = Number(/^\/block\/(\d+)/.exec(path)?.[1] ?? 0);
  // It waits as for execFileSync: a loop would take a core from the other workers as well.
  if (blockMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
  return `${process.pid}\n`;
}

export const gateway = (request, respond) => {
  respond(200, { "content-type": "text/plain" }, answerTo(request.target));
};

export const listener = (request, response) => response.end(answerTo(request.url));

export const server = () => createServer(listener);
