/** Clients of a chaos run that want no answer: they break off in a handshake, a head or content, or send what is none of these. */
import { connect, constants } from "node:http2";
import { setTimeout as pause } from "node:timers/promises";
import type { Target } from "../support/load.ts";
import { openTo } from "./ways.ts";

/** Sent without TLS, whether the server speaks it or not. */
const PARTS = [
  "",
  "GET / HTT",
  "GET / HTTP/1.1\r\nHost: a\r\nX-",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Le",
  "PRI * HTTP/2.0\r\n\r\nSM",
  // The beginning of a ClientHello, and one whose length is wrong.
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "\x16\x03\x01\xff\xff\x01",
  "\x00\x01\x02\x03",
];
const ENDS_AFTER_MS = [0, 5, 50, 300];
/** More at once would be a flood, for which a session is ended. */
const STREAMS = 20;

/** Breaks off so many connections, over TLS also behind the handshake. */
export async function breakConnections(target: Target, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const isWhole = target.tls !== undefined && number % 3 === 0;
      const { socket, ready } = openTo(isWhole ? target : { ...target, tls: undefined });
      const failed = new Promise<void>((resolve) => socket.once("error", () => resolve()));
      await Promise.race([ready, failed]);
      socket.write(Buffer.from(PARTS[number % PARTS.length] ?? "", "latin1"));
      await pause(ENDS_AFTER_MS[number % ENDS_AFTER_MS.length]);
      // Only TCP can be reset.
      if (number % 2 === 0 || isWhole) socket.destroy();
      else socket.resetAndDestroy();
    }),
  );
}

/** Sends so many requests and leaves before they are answered. */
export async function vanish(target: Target, count: number, isHttp2: boolean, id: string): Promise<void> {
  await (isHttp2 ? resetStreams : resetConnections)(target, count, id);
}

async function resetConnections(target: Target, count: number, id: string): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const { socket, ready } = openTo(target);
      const failed = new Promise<void>((resolve) => socket.once("error", () => resolve()));
      await Promise.race([ready, failed]);
      const length = number % 2 === 0 ? 5 : 5000;
      socket.write(
        `POST /?id=${id}-${number}&wait=200 HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\nhello`,
      );
      await pause(number * 3);
      socket.destroy();
    }),
  );
}

async function resetStreams(target: Target, count: number, id: string): Promise<void> {
  const { socket, ready } = openTo(target);
  const failed = new Promise<"failed">((resolve) => socket.once("error", () => resolve("failed")));
  if ((await Promise.race([ready, failed])) === "failed") return;
  const client = connect(`${target.tls === undefined ? "http" : "https"}://localhost`, {
    createConnection: () => socket,
  });
  client.on("error", () => {});
  for (let number = 0; number < Math.min(count, STREAMS) && !client.closed && !client.destroyed; number++) {
    const stream = client.request({ ":method": "POST", ":path": `/?id=${id}-${number}&wait=200` });
    stream.on("error", () => {});
    stream.write("hello");
    await pause(3);
    stream.close(constants.NGHTTP2_CANCEL);
  }
  client.destroy();
}
