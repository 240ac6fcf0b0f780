/** What brings an answer to its client: all that an answer knows of the transport, and of HTTP's framing. */
import type { Duplex } from "node:stream";

/** Carries one answer to the client; each kind of server has its own. Fields are names and values in turn. */
export interface Carrier {
  /** True for HEAD: the head of the answer says what the content would be, and none is sent. */
  readonly headOnly: boolean;
  /** True when the client asked to change protocols. */
  readonly upgradable: boolean;
  informational(status: number, fields: string[]): void;
  /** Hands the connection over, after a 101 with `fields` if given. */
  upgrade(fields: string[] | undefined): Duplex;
  /** Sends a whole answer. `length` is what Content-Length says, undefined to say nothing. */
  whole(status: number, fields: string[], content: string | Uint8Array, length: number | undefined): void;
  /** Sends the head of an answer whose content follows; `length` undefined means it is not known. */
  begin(status: number, fields: string[], length: number | undefined): void;
  /** Sends a piece; false when the client is slower than we are and `room` should be awaited. */
  write(chunk: string | Uint8Array): boolean;
  /** Resolves when there is room again; rejects with `ClientGone`. */
  room(): Promise<void>;
  /** Ends an answer begun with `begin`. */
  end(trailers: string[]): void;
  /** Breaks the connection off: what was sent must not look complete. */
  destroy(error: Error): void;
}
