/** Header blocks as RFC 7541 has them: the table of both sides, and a decoder that is slow and strict. */
import { huffmanText } from "./huffman.ts";

/** Name and value, in Latin-1. */
export type Field = readonly [name: string, value: string];

/** RFC 7541 appendix A. */
const STATIC: readonly Field[] = (
  ":authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|" +
  ":status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|" +
  "accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|" +
  "content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|" +
  "cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|" +
  "last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|" +
  "server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
)
  .split("|")
  .map((entry) => {
    const [name = "", value = ""] = entry.split("=");
    return [name, value];
  });

/** The size that a peer allows that has sent no SETTINGS_HEADER_TABLE_SIZE. */
export const TABLE_BYTES = 4096;
const ENTRY_OVERHEAD = 32;

/** A decoding error: COMPRESSION_ERROR for the connection (RFC 9113 section 4.3). */
export class CompressionError extends Error {}

export class FieldTable {
  #size = TABLE_BYTES;
  #entries: Field[] = [];

  /** The most recent comes first (RFC 7541 section 2.3.3). */
  at(index: number): Field | undefined {
    return index <= STATIC.length ? STATIC[index - 1] : this.#entries[index - STATIC.length - 1];
  }

  /** The index of the field, or of an entry with its name; 0 if there is none. */
  indexOf([name, value]: Field): { field: number; name: number } {
    const all = [...STATIC, ...this.#entries];
    const find = (fits: (field: Field) => boolean): number => all.findIndex(fits) + 1;
    return {
      field: find((entry) => entry[0] === name && entry[1] === value),
      name: find((entry) => entry[0] === name),
    };
  }

  add(field: Field): void {
    this.#entries.unshift(field);
    this.#evict();
  }

  resize(size: number): void {
    this.#size = size;
    this.#evict();
  }

  /** RFC 7541 section 4.4: a field that is larger than the table empties it. */
  #evict(): void {
    const used = (): number =>
      this.#entries.reduce((sum, [name, value]) => sum + name.length + value.length + ENTRY_OVERHEAD, 0);
    while (this.#entries.length > 0 && used() > this.#size) this.#entries.pop();
  }
}

/** RFC 7541 section 5.1. */
class BlockReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length;
  }

  get next(): number {
    return this.#bytes[this.#at] as number;
  }

  #octet(): number {
    if (this.isOver) throw new CompressionError("the block ends too early");
    this.#at += 1;
    return this.#bytes[this.#at - 1] as number;
  }

  /** @param prefix bits of the first octet that belong to it. An implementation may limit it; here it has 32 bits. */
  integer(prefix: number): number {
    const most = 2 ** prefix - 1;
    let value = this.#octet() & most;
    if (value < most) return value;
    for (let shift = 0; ; shift += 7) {
      const octet = this.#octet();
      value += (octet & 0x7f) * 2 ** shift;
      if (shift >= 32 || value >= 2 ** 32) throw new CompressionError("an integer is too large");
      if (octet < 0x80) return value;
    }
  }

  /** RFC 7541 section 5.2. */
  string(): string {
    const isHuffman = !this.isOver && this.next >= 0x80;
    const length = this.integer(7);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new CompressionError("a string ends too early");
    this.#at += length;
    const text = isHuffman ? huffmanText(bytes) : Buffer.from(bytes).toString("latin1");
    if (text === undefined) throw new CompressionError("a string is no Huffman code");
    return text;
  }
}

export class FieldDecoder {
  readonly #table = new FieldTable();
  /** The largest table that the other side may use. */
  readonly #limit: number;

  constructor(limit = TABLE_BYTES) {
    this.#limit = limit;
  }

  /** @throws CompressionError */
  decode(block: Uint8Array): Field[] {
    const reader = new BlockReader(block);
    const fields: Field[] = [];
    while (!reader.isOver) {
      const { next } = reader;
      if (next >= 0x80) fields.push(this.#entry(reader.integer(7)));
      else if (next >= 0x40) {
        const field = this.#literal(reader, 6);
        this.#table.add(field);
        fields.push(field);
      } else if (next >= 0x20) {
        // RFC 7541 section 4.2: at the beginning of a block.
        if (fields.length > 0) throw new CompressionError("a change of the table's size behind a field");
        const size = reader.integer(5);
        if (size > this.#limit) throw new CompressionError("the table would be too large");
        this.#table.resize(size);
      } else fields.push(this.#literal(reader, 4));
    }
    return fields;
  }

  #entry(index: number): Field {
    const field = index === 0 ? undefined : this.#table.at(index);
    if (field === undefined) throw new CompressionError(`no entry ${index}`);
    return field;
  }

  #literal(reader: BlockReader, prefix: number): Field {
    const index = reader.integer(prefix);
    const name = index === 0 ? reader.string() : this.#entry(index)[0];
    return [name, reader.string()];
  }
}
