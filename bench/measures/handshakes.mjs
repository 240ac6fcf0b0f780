/**
 * A load of TLS connections, one request each: `handshakes.mjs PORT PATH SECONDS CONNECTIONS full|resumed LENGTH`. Each
 * session is resumed, or none, and each answer has LENGTH bytes of content. Prints how many were answered.
 */
import { connect, createSecureContext } from "node:tls";

const [port, path, seconds, connections, kind, length] = process.argv.slice(2);
const secureContext = createSecureContext();
const REQUEST = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
const end = performance.now() + Number(seconds) * 1000;
let session;
let answered = 0;

function fail(why) {
  console.error(why);
  process.exit(1);
}

/** For an answer that ended with the connection, in chunks or not. */
function contentLength(text) {
  const at = text.indexOf("\r\n\r\n") + 4;
  const content = text.slice(at);
  if (!/^transfer-encoding: chunked\r$/im.test(text.slice(0, at))) return content.length;
  const sizes = [...content.matchAll(/(?:^|\r\n)([\da-f]+)\r\n/g)].map(([, size]) =>
    Number.parseInt(size, 16),
  );
  return sizes.at(-1) === 0 ? sizes.reduce((sum, size) => sum + size) : undefined;
}

/** Resolves when the other side has ended. */
function exchange(resumes) {
  return new Promise((resolve) => {
    const socket = connect({
      port: Number(port),
      host: "127.0.0.1",
      servername: "localhost",
      rejectUnauthorized: false,
      secureContext,
      ...(resumes && { session }),
    });
    let text = "";
    socket.setEncoding("latin1").on("data", (piece) => {
      text += piece;
    });
    socket.on("session", (ticket) => {
      session = ticket;
    });
    socket.on("error", (error) => fail(error.message));
    socket.on("secureConnect", () => {
      if (socket.isSessionReused() !== resumes)
        fail(resumes ? "it resumed no session" : "it resumed a session");
      socket.write(REQUEST);
    });
    socket.on("end", () => {
      if (!text.startsWith("HTTP/1.1 200 ") || contentLength(text) !== Number(length))
        fail(`it answered ${JSON.stringify(text)}`);
      socket.end();
    });
    socket.on("close", () => resolve());
  });
}

await exchange(false);
if (kind === "resumed" && session === undefined) fail("it gave no ticket");
answered += 1;
const began = performance.now();
async function client() {
  while (performance.now() < end) {
    await exchange(kind === "resumed");
    answered += 1;
  }
}
await Promise.all(Array.from({ length: Number(connections) }, client));
console.log(
  JSON.stringify({ requests: answered, rate: (answered - 1) / ((performance.now() - began) / 1000) }),
);
