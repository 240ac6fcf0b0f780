/** How node:http2 is asked for what it offers by events only. */
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { WatchedStream } from "./watched-stream.ts";

/** Ends a stream that has no exchange. */
export function closeStream(stream: ServerHttp2Stream, code: number): void {
  stream.on("error", () => {});
  stream.close(code);
}

/** node:http2 makes a session of each connection that its server gets. */
export function takeSession(server: Http2Server, stream: WatchedStream): ServerHttp2Session {
  let taken: ServerHttp2Session | undefined;
  server.once("session", (session) => {
    taken = session;
  });
  server.emit("connection", stream);
  if (taken === undefined) throw new Error("node:http2 has made no session");
  return taken;
}
