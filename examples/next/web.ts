/** Next's custom server, up to `listen()`: what `next build` made, on an http.Server. */
import { createServer, type Server } from "node:http";
import next from "next";

export async function create(): Promise<Server> {
  const app = next({ dev: false, dir: import.meta.dirname });
  await app.prepare();
  const handle = app.getRequestHandler();
  return createServer((request, response) => void handle(request, response));
}
