/** The tunnel by itself, over a stream whose writes the test completes. */
import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { StreamTunnel } from "../../../src/server/http2/stream-tunnel.ts";

class HeldStream extends Duplex {
  readonly aborted = false;
  readonly rstCode = 0;
  complete: (() => void) | undefined;

  respond(): void {}

  close(): void {}

  override _read(): void {}

  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    this.complete = done;
  }
}

test("a stream that is closed between two writes of an app without an error listener ends the tunnel, not the worker", async () => {
  const stream = new HeldStream();
  const tunnel = new StreamTunnel(stream as unknown as ServerHttp2Stream, [], () => {});
  tunnel.write("first");
  tunnel.write("second");
  Object.defineProperty(stream, "closed", { value: true });
  stream.complete?.();
  await new Promise((resolve) => tunnel.on("close", resolve));
  assert.equal(tunnel.errored?.message, "the client closed the stream");
});
