/** Next's custom server, up to `listen()`: an http.Server for the output of `next build`. */
import { createServer, type Server } from "node:http";
import next from "next";

export async function create(): Promise<Server> {
  const app = next({ dev: false, dir: import.meta.dirname });
  await app.prepare();
  const handle = app.getRequestHandler();
  return createServer((request, response) => void handle(request, response));
}
