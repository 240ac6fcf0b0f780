// Opens connections, gets an answer on each, says so, and holds them until its standard input ends.
// Arguments: the port, how many, the path to ask for. Ends with an error if the server closes one.
import { once } from "node:events";
import { connect } from "node:net";

const [port, count, path] = process.argv.slice(2);
const sockets = [];
let leaving = false;

for (let opened = 0; opened < Number(count); opened += 1) {
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => {});
  socket.on("close", () => {
    if (!leaving) process.exit(1);
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  await once(socket, "data");
  sockets.push(socket);
}
process.stdout.write("open\n");
process.stdin.on("end", () => {
  leaving = true;
  for (const socket of sockets) socket.destroy();
});
process.stdin.resume();
