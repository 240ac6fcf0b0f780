/** The transport below a response: the only thing a response knows of connections and HTTP framing. */
import type { Duplex } from "node:stream";

/** Sends one response to the client; each kind of server implements it. Fields are alternating names and values. */
export interface Transport {
  /** True for HEAD: the head describes the content, but none is sent. */
  readonly headOnly: boolean;
  /** True if the client asked for a protocol change. */
  readonly upgradable: boolean;
  informational(status: number, fields: string[]): void;
  /** Hands over the connection, after a 101 with `fields` if given. */
  upgrade(fields: string[] | undefined): Duplex;
  /** Sends a whole response. `length` is the Content-Length, undefined for none. */
  sendWhole(status: number, fields: string[], content: string | Uint8Array, length: number | undefined): void;
  /** Sends the head of a response whose content follows. `length` is undefined if unknown. */
  sendHead(status: number, fields: string[], length: number | undefined): void;
  /** Sends now what it may hold back for a moment to send more at once. Absent if it holds nothing back. */
  flush?(): void;
  /** Sends a piece; false if the client is slower and the caller should await `whenWritable`. */
  write(chunk: string | Uint8Array): boolean;
  /** Resolves when there is room for more; rejects with `ClientGone`. */
  whenWritable(): Promise<void>;
  /** Ends a response begun with `sendHead`. */
  end(trailers: string[]): void;
  /** Destroys the connection, so that the part sent does not look complete. */
  destroy(error: Error): void;
}
