/** Writes header blocks in all the ways that RFC 7541 allows, and now and then in one that it does not. */
import type { Random } from "../../../support/random.ts";
import { type Field, FieldTable } from "./hpack.ts";
import { huffmanBytes } from "./huffman.ts";
import { BLOCK_FLAWS } from "./words.ts";

/** RFC 7541 section 5.1. @param first the bits in front of the prefix */
function integer(value: number, prefix: number, first: number): Buffer {
  const most = 2 ** prefix - 1;
  if (value < most) return Buffer.from([first | value]);
  const bytes = [first | most];
  let rest = value - most;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Buffer.from([...bytes, rest]);
}

export class BlockWriter {
  readonly #random: Random;
  readonly #flawed: () => boolean;
  readonly #table = new FieldTable();

  constructor(random: Random, flawed: () => boolean) {
    this.#random = random;
    this.#flawed = flawed;
  }

  block(fields: readonly Field[]): Buffer {
    const parts: Buffer[] = [];
    if (this.#random.below(30) === 0) {
      const size = this.#random.pick([0, 100, 4096]);
      this.#table.resize(size);
      parts.push(integer(size, 5, 0x20));
    }
    for (const field of fields) {
      parts.push(this.#field(field));
      if (this.#flawed()) parts.push(this.#random.pick(BLOCK_FLAWS));
    }
    const block = Buffer.concat(parts);
    return this.#flawed() && block.length > 1 ? block.subarray(0, -1) : block;
  }

  #field(field: Field): Buffer {
    const indices = this.#table.indexOf(field);
    if (indices.field > 0 && this.#random.below(4) > 0) return integer(indices.field, 7, 0x80);
    const index = this.#random.below(4) > 0 ? indices.name : 0;
    const [prefix, first] = this.#random.pick([
      [6, 0x40],
      [4, 0x00],
      [4, 0x10],
    ] as const);
    const name =
      index > 0
        ? integer(index, prefix, first)
        : Buffer.concat([Buffer.from([first]), this.#string(field[0])]);
    if (first === 0x40) this.#table.add(field);
    return Buffer.concat([name, this.#string(field[1])]);
  }

  #string(text: string): Buffer {
    if (this.#random.below(2) === 0)
      return Buffer.concat([integer(text.length, 7, 0), Buffer.from(text, "latin1")]);
    const bytes = huffmanBytes(text);
    return Buffer.concat([integer(bytes.length, 7, 0x80), bytes]);
  }
}
