// Opens connections, gets an answer on each unless they shall be unused, says so, and holds them until its standard input
// ends. Arguments: the port, how many, the path to ask for or "-" to ask for nothing, the protocol. Ends with an error if
// the server closes one.
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

const [port, count, path, protocol = "http"] = process.argv.slice(2);
const held = [];
let leaving = false;

function lost() {
  if (!leaving) process.exit(1);
}

async function http1() {
  const place = { port: Number(port), host: "127.0.0.1", rejectUnauthorized: false };
  const socket = protocol === "https" ? connectTls(place) : connect(place);
  socket.on("error", () => {}).on("close", lost);
  if (path === "-") await once(socket, protocol === "https" ? "secureConnect" : "connect");
  else {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
    await once(socket, "data");
  }
  return socket;
}

async function http2() {
  const scheme = protocol === "h2" ? "https" : "http";
  const session = connectHttp2(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on("error", () => {}).on("close", lost);
  // The server has admitted it.
  await once(session, "remoteSettings");
  if (path !== "-") await once(session.request({ ":path": path }).resume(), "close");
  return session;
}

const open = protocol.startsWith("h2") ? http2 : http1;
while (held.length < Number(count)) held.push(await open());
process.stdout.write("open\n");
process.stdin.on("end", () => {
  leaving = true;
  for (const one of held) one.destroy();
});
process.stdin.resume();
