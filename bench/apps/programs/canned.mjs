// The least that a server on node:net can do: it finds the ends of requests and sends the same answer to each.
import { createServer } from "node:net";

const ANSWER =
  "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 13\r\n\r\nHello, world\n";

createServer((socket) => {
  let rest = "";
  socket.setNoDelay(true);
  socket.setEncoding("latin1").on("data", (text) => {
    const heads = (rest + text).split("\r\n\r\n");
    rest = heads.pop();
    if (heads.length > 0) socket.write(heads.length === 1 ? ANSWER : ANSWER.repeat(heads.length), "latin1");
  });
  socket.on("error", () => socket.destroy());
}).listen(Number(process.env.PORT), "127.0.0.1");
