/** A page of the scoreboard as a worker would write it, by the layout alone. */
import {
  HEADER,
  LAYOUT_VERSION,
  MAGIC,
  METHODS,
  NOTE_OFFSET,
  PAGE_BYTES,
  REQUEST,
  REQUEST_BYTES,
  REQUESTS_OFFSET,
  SERIES,
  SERIES_BYTES,
  SERIES_OFFSET,
  STDERR_BYTES,
  STDERR_OFFSET,
  VITALS,
  VITALS_OFFSET,
  type Vital,
} from "../../src/scoreboard/layout.ts";

export class WrittenPage {
  readonly bytes: Buffer;
  #series = 0;

  /** @param bytes a page of zeros, or one that an arbiter has allocated */
  constructor(bytes: Buffer = Buffer.alloc(PAGE_BYTES)) {
    this.bytes = bytes;
    bytes.writeUInt32LE(MAGIC, HEADER.magic);
    bytes.writeUInt32LE(LAYOUT_VERSION, HEADER.version);
    bytes.writeUInt32LE(1, HEADER.inUse);
  }

  header(facts: { pid?: number; slot?: number; generation?: number; timeOrigin?: number }): this {
    for (const name of ["pid", "slot", "generation"] as const)
      if (facts[name] !== undefined) this.bytes.writeUInt32LE(facts[name], HEADER[name]);
    if (facts.timeOrigin !== undefined) this.bytes.writeDoubleLE(facts.timeOrigin, HEADER.timeOrigin);
    return this;
  }

  vitals(vitals: Partial<Record<Vital, number>>): this {
    for (const [index, name] of VITALS.entries())
      this.bytes.writeDoubleLE(vitals[name] ?? 0, VITALS_OFFSET + index * 8);
    return this;
  }

  request(index: number, method: string, target: string, startedAt: number): this {
    const at = REQUESTS_OFFSET + index * REQUEST_BYTES;
    this.bytes.writeUInt16LE(target.length, at + REQUEST.targetLength);
    this.bytes.writeUInt8((METHODS as readonly string[]).indexOf(method), at + REQUEST.method);
    this.bytes.writeDoubleLE(startedAt, at + REQUEST.startedAt);
    this.bytes.write(target, at + REQUEST.target, "latin1");
    this.bytes.writeUInt32LE(1, at + REQUEST.inUse);
    return this;
  }

  series(key: string, ...values: readonly number[]): this {
    const at = SERIES_OFFSET + this.#series * SERIES_BYTES;
    this.bytes.writeUInt16LE(key.length, at + SERIES.keyLength);
    this.bytes.write(key, at + SERIES.key, "latin1");
    for (const [index, value] of values.entries())
      this.bytes.writeDoubleLE(value, at + SERIES.values + index * 8);
    this.bytes.writeUInt32LE(++this.#series, HEADER.seriesCount);
    return this;
  }

  stderr(text: string): this {
    for (const byte of Buffer.from(text)) {
      const written = this.bytes.readUInt32LE(HEADER.stderrWritten);
      this.bytes.writeUInt8(byte, STDERR_OFFSET + (written % STDERR_BYTES));
      this.bytes.writeUInt32LE((written + 1) >>> 0, HEADER.stderrWritten);
    }
    return this;
  }

  note(text: string): this {
    this.bytes.writeUInt32LE(this.bytes.write(text, NOTE_OFFSET), HEADER.noteLength);
    return this;
  }
}
