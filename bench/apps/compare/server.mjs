/** The app of `npm run compare` for all servers of Node: a program that listens, and ends as PM2's manual asks for. */
import { createServer } from "node:http";

const server = createServer((request, response) => {
  if (request.url === "/block") for (;;);
  response.end(`ok ${process.pid}`);
});
server.listen(Number(process.env.COMPARE_PORT), "127.0.0.1");
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.close(() => process.exit(0)));
