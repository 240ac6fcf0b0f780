/**
 * The last stage of a front: which protocol the connection speaks. TLS has agreed on it by ALPN; without TLS a client of
 * HTTP/2 begins with its preface (RFC 9113 section 3.4), which is no request of HTTP/1.1.
 */
import type { Socket } from "node:net";
import { PREFACE } from "../http2/frame-walker.ts";
import type { ConnectionFacts } from "./facts.ts";
import type { Stage } from "./front.ts";
import { ClientLeft, Refusal } from "./refusal.ts";

export interface ProtocolChoice {
  /** Whether HTTP/1.1 is spoken. */
  readonly h1: boolean;
  /** Whether HTTP/2 is spoken without TLS. */
  readonly cleartext: boolean;
}

const ONLY_HTTP2 =
  "HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: text/plain; charset=utf-8\r\n" +
  "Content-Length: 31\r\nConnection: close\r\n\r\nthis server speaks HTTP/2 only\n";

export function protocolChoice({ h1, cleartext }: ProtocolChoice): Stage {
  return async (socket, facts) => {
    if (facts.protocol !== undefined) return socket;
    // Without ALPN a client cannot know that this server speaks HTTP/2 (RFC 9113 section 3.2).
    const mayBeHttp2 = facts.tls === undefined && cleartext;
    if (mayBeHttp2 && (await beginsWithPreface(socket))) facts.protocol = "h2";
    else if (!h1) refuse(socket, facts);
    return socket;
  };
}

function refuse(socket: Socket, { tls }: ConnectionFacts): never {
  socket.write(ONLY_HTTP2);
  const how = tls === undefined ? "does not begin with its preface" : "has not chosen h2 by ALPN";
  throw new Refusal("protocol", `this server speaks HTTP/2 only, and the client ${how}`);
}

/** Reads until it is certain, and puts back what it has read. @throws ClientLeft if the client ends before */
function beginsWithPreface(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let read: Buffer = Buffer.alloc(0);
    const settle = (settled: () => void): void => {
      socket.off("readable", look).off("end", left).off("close", left);
      socket.pause();
      settled();
    };
    const left = (): void => settle(() => reject(new ClientLeft()));
    const look = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null)
        read = read.length === 0 ? chunk : Buffer.concat([read, chunk]);
      const compared = Math.min(read.length, PREFACE.length);
      const isSame = PREFACE.compare(read, 0, compared, 0, compared) === 0;
      if (isSame && compared < PREFACE.length) return;
      settle(() => {
        socket.unshift(read);
        resolve(isSame);
      });
    };
    socket.on("readable", look).on("end", left).on("close", left);
    if (socket.destroyed) left();
  });
}
