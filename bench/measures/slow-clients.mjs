// Clients that take their time, each of which comes again when it is closed. Says so when all have connected or have tried for
// a while, and ends when its standard input does. Arguments: the port, how many, the kind.
import { connect } from "node:net";

const [port, count, kind] = process.argv.slice(2);

/** New ones a second. */
const ARRIVALS = 500;
/** They have their places, or wait for them, this long after the last one has come. */
const SETTLE_MS = 3000;
const AGAIN_MS = 100;
/** Between two bytes of a head or of content, and between two readings of a response. */
const PACE_MS = 5000;
const READ_BYTES = 256;

const KINDS = {
  heads: { first: "GET /pid HTTP/1.1\r\nHost: bench\r\n", more: "X-A: b\r\n" },
  bodies: {
    first: "POST /upload HTTP/1.1\r\nHost: bench\r\nContent-Length: 1000000\r\n\r\n",
    more: "content\r\n",
  },
  readers: { first: "GET /100m HTTP/1.1\r\nHost: bench\r\n\r\n", more: undefined },
};
const { first, more } = KINDS[kind];

/** Taken by each connection, which reads no more than this at once. */
const buffer = Buffer.alloc(READ_BYTES);

function open() {
  const socket = connect({
    host: "127.0.0.1",
    port: Number(port),
    // A reader leaves what comes in the kernel; the others see their answer.
    onread: { buffer, callback: () => more !== undefined },
  });
  socket.write(first);
  const pace = setInterval(() => {
    if (more === undefined) socket.resume();
    else socket.write(more);
  }, PACE_MS);
  socket.on("error", () => {});
  socket.on("end", () => socket.destroy());
  socket.on("close", () => {
    clearInterval(pace);
    setTimeout(open, AGAIN_MS);
  });
}

let opened = 0;
const arrivals = setInterval(() => {
  for (let some = 0; some < ARRIVALS / 50 && opened < Number(count); some += 1, opened += 1) open();
  if (opened < Number(count)) return;
  clearInterval(arrivals);
  setTimeout(() => process.stdout.write("open\n"), SETTLE_MS);
}, 20);
process.stdin.on("end", () => process.exit());
process.stdin.resume();
