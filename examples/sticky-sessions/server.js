// Socket.IO as its tutorial has it, and how its open polls end early. Plain `node server.js` runs it too.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { currentWorker } from "tsgun/node";

const server = createServer((_request, response) => {
  response.setHeader("content-type", "text/plain");
  response.end(`worker ${process.pid}\n`);
});
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("who", (answer) => answer(process.pid));
});

// The clients connect anew, to the worker after this one.
currentWorker()?.drain.addEventListener("abort", () => io.close());

server.listen(3000);
