/** The content of a request that nobody reads any more. */
import { constants, type ServerHttp2Stream } from "node:http2";

/** Tells the client to stop sending content that nobody reads, once it has the response (RFC 9113 section 8.1). */
export function discardContent(stream: ServerHttp2Stream): void {
  if (stream.destroyed) return;
  stream.resume();
  if (stream.readableEnded) return;
  const stop = (): void => {
    if (!stream.destroyed && !stream.closed && !stream.readableEnded)
      stream.close(constants.NGHTTP2_NO_ERROR);
  };
  // Content that has arrived with the request needs no such frame.
  if (stream.writableFinished) setImmediate(stop);
  else stream.once("finish", () => setImmediate(stop));
}
