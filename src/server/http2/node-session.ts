/** How node:http2 is asked for what it offers by events only, and kept from what it does wrong. */
import { constants, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { WatchedStream } from "./watched-stream.ts";

/** Ends a stream that has no exchange. */
export function closeStream(stream: ServerHttp2Stream, code: number): void {
  stream.on("error", () => {});
  stream.close(code);
}

/**
 * Ends a session at once; with an error if it has open streams. Behind a GOAWAY without one, Node's client takes a reset of
 * the connection for the regular end of the streams, and what it has of a response for the whole.
 */
export function endSession(session: ServerHttp2Session, openStreams: number): void {
  if (openStreams === 0) session.destroy();
  else session.destroy(new Error("the session ends with open streams"), constants.NGHTTP2_INTERNAL_ERROR);
}

type Pieces = { readonly chunk: string | Uint8Array }[] & { allBuffers?: boolean };
type WriteAll = (this: ServerHttp2Stream, pieces: Pieces, done: (error?: Error | null) => void) => void;
type Writable = ServerHttp2Stream & { _writev: WriteAll };

/** Call it where a stream begins. @param connection that of its session */
export function guardStream(stream: ServerHttp2Stream, connection: WatchedStream): void {
  (stream as Writable)._writev = writeFilled;
  connection.guard.guardStream(stream);
}

/**
 * Leaves empty pieces out of what is written at once. node:http2 frees the memory of all of them with the last one, and an
 * empty last one before the others have been sent: the client gets what is in the memory by then (Node 20.20 and 26.12).
 */
const writeFilled: WriteAll = function (pieces, done) {
  const filled: Pieces = pieces.filter(({ chunk }) => chunk.length > 0);
  filled.allBuffers = pieces.allBuffers === true;
  if (filled.length === 0) done();
  else (Object.getPrototypeOf(this) as Writable)._writev.call(this, filled, done);
};

/** node:http2 makes a session of each connection that its server gets. */
export function takeSession(server: Http2Server, stream: WatchedStream): ServerHttp2Session {
  let taken: ServerHttp2Session | undefined;
  server.once("session", (session) => {
    taken = session;
  });
  server.emit("connection", stream);
  if (taken === undefined) throw new Error("node:http2 has made no session");
  stream.guard.guardSession(taken);
  return taken;
}
