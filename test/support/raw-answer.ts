/** Parses a response from raw bytes (as Latin-1), for details that client libraries hide. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { RawClient } from "./engine.ts";

export interface RawAnswer {
  /** Status lines of the interim responses before it. */
  readonly informational: readonly string[];
  readonly status: string;
  /** Header lines as received. */
  readonly fields: readonly string[];
  /** The content without chunk framing, whose boundaries depend on timing. */
  readonly content: Buffer;
}

/** A connection, to a port of the loopback address or a Unix socket, that ends with the test. */
export async function rawClient(test: TestContext, where: number | string): Promise<RawClient> {
  const socket = typeof where === "number" ? connect(where, "127.0.0.1") : connect(where);
  test.after(() => socket.destroy());
  await once(socket, "connect");
  return new RawClient(socket);
}

/** No bytes give a response with an empty status. */
export function rawAnswer(bytes: string): RawAnswer {
  if (bytes === "") return { informational: [], status: "", fields: [], content: Buffer.alloc(0) };
  const informational: string[] = [];
  for (let rest = bytes; ; ) {
    const end = rest.indexOf("\r\n\r\n");
    assert.notEqual(end, -1, `no answer: ${JSON.stringify(rest)}`);
    const [status = "", ...fields] = rest.slice(0, end).split("\r\n");
    rest = rest.slice(end + 4);
    if (!/^HTTP\/1\.1 1(?!01)/.test(status)) {
      const content = Buffer.from(rest, "latin1");
      const chunked = fields.some((field) => /^transfer-encoding: *chunked$/i.test(field));
      // A response to HEAD announces chunks that do not follow.
      const whole = chunked && content.length > 0 ? withoutChunks(content) : content;
      return { informational, status, fields, content: whole };
    }
    informational.push(status);
  }
}

/** The value of a field; undefined if absent. */
export function fieldOf(answer: RawAnswer, name: string): string | undefined {
  const found = answer.fields.find((field) => field.toLowerCase().startsWith(`${name}:`));
  return found?.slice(name.length + 1).trim();
}

function withoutChunks(bytes: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.toString("latin1", at, Math.max(end, at)), 16);
    assert.ok(end > at && size >= 0, `no chunk at byte ${at} of ${bytes.length}`);
    if (size === 0) {
      assert.equal(bytes.toString("latin1", end), "\r\n\r\n", "bytes after the last chunk");
      return Buffer.concat(pieces);
    }
    pieces.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
