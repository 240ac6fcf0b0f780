// A listener on node:http, in one process, as in Node's documentation. LISTENER is its module.
import { createServer } from "node:http";

const { LISTENER, PORT, KEEP_ALIVE } = process.env;
const { listener } = await import(LISTENER);
const server = createServer(listener);
if (KEEP_ALIVE) server.keepAliveTimeout = Number(KEEP_ALIVE) * 1000;
// A port, or the path of a Unix socket.
if (/^\d+$/.test(PORT)) server.listen(Number(PORT), "127.0.0.1");
else server.listen(PORT);
