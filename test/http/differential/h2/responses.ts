/** Everything that a server of HTTP/2 has sent to one client: a response, or a reset, for each stream, and the end of the session. */
import { FieldDecoder } from "./hpack.ts";

export interface StreamAnswer {
  /** That of the final response; undefined before. */
  status: number | undefined;
  /** Those of interim responses. */
  readonly interim: number[];
  body: string;
  /** Whether the response is complete. */
  ended: boolean;
  /** The code of RST_STREAM. */
  reset: number | undefined;
}

/** The largest table that a client of the generator allows. */
const TABLE_BYTES = 65_536;

export class Answers {
  readonly streams = new Map<number, StreamAnswer>();
  /** The code of the last GOAWAY. */
  goaway: number | undefined;
  readonly #decoder = new FieldDecoder(TABLE_BYTES);
  #bytes = Buffer.alloc(0);
  #block: Buffer[] = [];

  receive(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    let at = 0;
    while (at + 9 <= this.#bytes.length) {
      const end = at + 9 + this.#bytes.readUIntBE(at, 3);
      if (end > this.#bytes.length) break;
      const [type, flags] = [this.#bytes[at + 3] as number, this.#bytes[at + 4] as number];
      this.#frame(type, flags, this.#bytes.readUInt32BE(at + 5), this.#bytes.subarray(at + 9, end));
      at = end;
    }
    this.#bytes = this.#bytes.subarray(at);
  }

  #stream(id: number): StreamAnswer {
    const known = this.streams.get(id);
    if (known !== undefined) return known;
    const made = { status: undefined, interim: [], body: "", ended: false, reset: undefined };
    this.streams.set(id, made);
    return made;
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === 0) {
      const stream = this.#stream(id);
      stream.body += payload.toString("latin1");
      if ((flags & 1) !== 0) stream.ended = true;
    } else if (type === 1 || type === 9) this.#fields(flags, id, payload, type === 1 && (flags & 1) !== 0);
    else if (type === 3) this.#stream(id).reset = payload.readUInt32BE(0);
    else if (type === 7) this.goaway = payload.readUInt32BE(4);
  }

  #fields(flags: number, id: number, payload: Buffer, ends: boolean): void {
    const stream = this.#stream(id);
    this.#block.push(payload);
    if (ends) stream.ended = true;
    if ((flags & 4) === 0) return;
    const fields = this.#decoder.decode(Buffer.concat(this.#block));
    this.#block = [];
    const status = Number(fields.find(([name]) => name === ":status")?.[1]);
    if (status < 200) stream.interim.push(status);
    else if (stream.status === undefined) stream.status = status;
  }
}
