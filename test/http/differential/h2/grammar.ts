/**
 * Connections of HTTP/2 clients made from the grammar of RFC 9113 and RFC 7541, with flaws: several streams whose frames
 * mingle, blocks that use the tables, Huffman codes, padding, CONTINUATION, frames that mean nothing. What comes later is made to
 * fit what was meant, so a flaw leads readers apart where they differ. Behind it all comes a request that is in order.
 */

import { frame, number, windowUpdate } from "../../../support/http2-frames.ts";
import type { Random } from "../../../support/random.ts";
import { SMUGGLED } from "../grammar.ts";
import { METHODS, TARGETS } from "../words.ts";
import { BlockWriter } from "./block-writer.ts";
import { noise, settingsFrame, written } from "./frames.ts";
import type { Field } from "./hpack.ts";
import {
  AUTHORITIES,
  CONNECTION_FIELDS,
  FIELD_FLAWS,
  LENGTH_FLAWS,
  OTHER_PSEUDO,
  PSEUDO_FLAWS,
  SMALL_FIELDS,
  TRAILER_FLAWS,
} from "./words.ts";

/** One draw in so many is a flaw; the first is none at all. */
const FLAW_RATES = [Number.POSITIVE_INFINITY, 400, 150, 150, 60, 60, 20] as const;
/** Bytes of content of one stream: all windows are larger. */
const DATA_BYTES = 4000;
export const SENTINEL_PATH = "/sentinel";

/** Frames that go out one behind the other. They are made when they are due: tables change with each block. */
type Step = () => Buffer;

class Client {
  readonly #random: Random;
  readonly #rate: number;
  readonly #blocks: BlockWriter;
  #next = 1;

  constructor(random: Random, rate: number) {
    this.#random = random;
    this.#rate = rate;
    this.#blocks = new BlockWriter(random, () => this.#flawed(4));
  }

  /** @param rarer so many times as rare */
  #flawed(rarer = 1): boolean {
    return this.#rate !== Number.POSITIVE_INFINITY && this.#random.below(this.#rate * rarer) === 0;
  }

  #chance(oneIn: number): boolean {
    return this.#random.below(oneIn) === 0;
  }

  connection(): Buffer {
    const frames: Buffer[] = [];
    if (!this.#flawed(4)) frames.push(settingsFrame(this.#random, this.#flawed()));
    // The acknowledgement of the server's.
    if (this.#chance(2)) frames.push(frame(4, 1, 0));
    const queues = Array.from({ length: 1 + this.#random.below(4) }, () => this.#stream());
    while (queues.some(({ length }) => length > 0)) {
      if (this.#flawed() || this.#chance(10)) frames.push(noise(this.#random, this.#flawed(), this.#next));
      // Streams begin in their order (section 5.1.1).
      const ready = queues.filter(
        (queue, at) => queue.length > 0 && (at === 0 || hasBegun(queues[at - 1] as Step[])),
      );
      frames.push((this.#random.pick(ready).shift() as Step)());
    }
    if (!this.#chance(10)) frames.push(this.#sentinel());
    const bytes = Buffer.concat(frames);
    return this.#chance(40) ? bytes.subarray(0, this.#random.below(bytes.length) + 1) : bytes;
  }

  #sentinel(): Buffer {
    const fields: Field[] = [
      [":method", "GET"],
      [":scheme", "http"],
      [":path", SENTINEL_PATH],
      [":authority", "a.example"],
    ];
    const id = this.#newId();
    return Buffer.concat(this.#headers(id, fields, true));
  }

  #newId(): number {
    const id = this.#next;
    this.#next += this.#chance(10) ? 4 : 2;
    return id;
  }

  #stream(): Step[] {
    const id = this.#flawed(2) ? this.#random.pick([0, 2, 1, this.#next + 1]) : this.#newId();
    const data = this.#chance(2) ? "" : this.#data();
    const trailers = this.#chance(6);
    const length = data.length;
    const fields = this.#fields(length);
    const ends = length === 0 && !trailers && !this.#chance(8);
    const steps: Step[] = [() => Buffer.concat(this.#headers(id, fields, ends))];
    if (!ends) {
      const pieces = this.#pieces(data);
      for (const [at, piece] of pieces.entries()) {
        const isLast = !trailers && at === pieces.length - 1 && !this.#flawed();
        steps.push(() =>
          written(0, isLast ? 1 : 0, id, Buffer.from(piece, "latin1"), this.#random, this.#flawed(2)),
        );
      }
      if (trailers) steps.push(() => Buffer.concat(this.#headers(id, this.#trailers(), !this.#flawed())));
    }
    if (this.#flawed()) steps.splice(1 + this.#random.below(steps.length), 0, () => this.#stray(id));
    if (this.#chance(30))
      steps.push(() => written(3, 0, id, number(this.#random.pick([0, 7, 8])), this.#random, false));
    BEGUN.set(steps, steps.length);
    return steps;
  }

  /** A frame where the stream may not expect it. */
  #stray(id: number): Buffer {
    const kinds: Step[] = [
      () => written(0, 1, id, Buffer.from("stray"), this.#random, false),
      () => Buffer.concat(this.#headers(id, this.#fields(0), true)),
      () => Buffer.concat(this.#headers(id, [["x-stray", "1"]], false)),
      () => written(3, 0, id, number(8), this.#random, false),
      () => windowUpdate(id, this.#random.pick([0, 1, 1000, 0x7fff_ffff])),
      () => written(9, 4, id, Buffer.alloc(0), this.#random, false),
      () => written(2, 0, id, Buffer.from([0, 0, 0, this.#random.pick([0, id]), 16]), this.#random, false),
    ];
    return this.#random.pick(kinds)();
  }

  #pieces(data: string): string[] {
    const pieces: string[] = [];
    for (let at = 0; at < data.length; ) {
      const size = 1 + this.#random.below(data.length - at);
      pieces.push(data.slice(at, at + size));
      at += size;
    }
    if (pieces.length === 0 || this.#chance(8)) pieces.push("");
    return pieces;
  }

  #data(): string {
    const words = [
      "a",
      "hello",
      "\xe9\0\xff",
      SMUGGLED,
      `0\r\n\r\n${SMUGGLED}`,
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    const count = this.#random.below(3);
    const text = Array.from({ length: count + 1 }, () => this.#random.pick(words)).join("");
    return this.#chance(12) ? text.padEnd(1 + this.#random.below(DATA_BYTES), "0123456789") : text;
  }

  // ---- fields

  #fields(length: number): Field[] {
    const method = this.#chance(40)
      ? "TRACE"
      : length > 0 && this.#chance(2)
        ? "POST"
        : this.#random.pick(METHODS);
    const pseudo = this.#pseudo(method);
    const regular: Field[] = [];
    if (length > 0 ? this.#chance(2) : this.#chance(10)) {
      const value = this.#flawed() ? this.#random.pick(LENGTH_FLAWS)(length) : String(length);
      regular.push(["content-length", value]);
      if (this.#flawed()) regular.push(["content-length", value]);
    }
    for (let left = this.#random.below(5); left > 0; left -= 1) regular.push(this.#random.pick(SMALL_FIELDS));
    if (this.#chance(20)) regular.push(["expect", this.#random.pick(["100-continue", "100-Continue"])]);
    if (this.#flawed()) regular.push(this.#random.pick(FIELD_FLAWS));
    if (this.#flawed()) regular.push(this.#random.pick(CONNECTION_FIELDS));
    if (this.#flawed(2)) regular.push(...this.#huge());
    const authority = pseudo.find(([name]) => name === ":authority")?.[1];
    if (this.#chance(8)) regular.push(["host", authority ?? "a.example"]);
    this.#shuffle(regular);
    const fields = [...pseudo, ...regular];
    // Section 8.3: before all others.
    if (this.#flawed()) this.#shuffle(fields);
    return fields;
  }

  #huge(): Field[] {
    const draw = this.#random.below(4);
    if (draw === 0) return [["x-long", "v".repeat(9000)]];
    if (draw === 1) return Array.from({ length: 120 }, (_, at): Field => [`x-${at}`, ""]);
    if (draw === 2) return Array.from({ length: 12 }, (): Field => ["x-many", "v".repeat(3000)]);
    return [
      ["cookie", "a".repeat(5000)],
      ["cookie", "b".repeat(5000)],
    ];
  }

  #pseudo(method: string): Field[] {
    const path = method === "OPTIONS" && this.#chance(2) ? "*" : this.#random.pick(ORIGIN_FORMS);
    const fields: [string, string][] =
      this.#flawed(2) || this.#chance(60)
        ? [
            [":method", "CONNECT"],
            [":authority", "a.example:443"],
          ]
        : [
            [":method", method],
            [":scheme", this.#random.pick(["http", "https"])],
            [":path", path],
          ];
    if (fields.length === 3 && !this.#chance(10)) fields.push([":authority", this.#random.pick(AUTHORITIES)]);
    const flawed = this.#flawed() ? this.#random.pick(fields) : undefined;
    if (flawed !== undefined) flawed[1] = this.#random.pick(PSEUDO_FLAWS[flawed[0]] as string[]);
    this.#shuffle(fields);
    if (this.#flawed()) fields.splice(this.#random.below(fields.length), 1);
    if (this.#flawed()) fields.push([...this.#random.pick(fields)]);
    if (this.#flawed()) fields.push([...this.#random.pick(OTHER_PSEUDO)]);
    return fields;
  }

  #trailers(): Field[] {
    const fields: Field[] = [["x-sum", "1"]];
    if (this.#chance(2)) fields.push(["x-other", "2"]);
    if (this.#flawed()) fields.push(this.#random.pick(TRAILER_FLAWS));
    if (this.#chance(8)) fields.pop();
    return fields;
  }

  #shuffle<Item>(list: Item[]): void {
    for (let at = list.length - 1; at > 0; at -= 1) {
      const other = this.#random.below(at + 1);
      [list[at], list[other]] = [list[other] as Item, list[at] as Item];
    }
  }

  // ---- frames of a header block

  #headers(id: number, fields: readonly Field[], ends: boolean): Buffer[] {
    const block = this.#blocks.block(fields);
    const cuts = this.#chance(5) ? 1 + this.#random.below(3) : 0;
    const parts = this.#parts(block, this.#flawed(2) ? 12 : cuts);
    const frames: Buffer[] = [];
    for (const [at, part] of parts.entries()) {
      const endsBlock = at === parts.length - 1 && !this.#flawed(4) ? 4 : 0;
      if (at > 0) {
        // Section 6.10: nothing comes between.
        if (this.#flawed()) frames.push(noise(this.#random, false, id));
        frames.push(written(9, endsBlock, id, part, this.#random, false));
      } else frames.push(this.#first(id, endsBlock + (ends ? 1 : 0), part));
    }
    return frames;
  }

  #first(id: number, flags: number, part: Buffer): Buffer {
    if (!this.#chance(10)) return written(1, flags, id, part, this.#random, this.#flawed(2));
    const parent = this.#flawed() ? id : 0;
    return written(
      1,
      flags | 0x20,
      id,
      Buffer.concat([number(parent), Buffer.from([15]), part]),
      this.#random,
      false,
    );
  }

  #parts(block: Buffer, cuts: number): Buffer[] {
    const places = Array.from({ length: cuts }, () => this.#random.below(block.length + 1)).sort(
      (a, b) => a - b,
    );
    return [0, ...places].map((from, at) => block.subarray(from, places[at] ?? block.length));
  }
}

/** How many steps each stream has had at first. */
const BEGUN = new WeakMap<Step[], number>();

function hasBegun(queue: Step[]): boolean {
  return queue.length < (BEGUN.get(queue) ?? 0);
}

const ORIGIN_FORMS = TARGETS.filter((target) => target.startsWith("/"));

/** The bytes of a client behind the preface. */
export function generateFrames(random: Random): Buffer {
  return new Client(random, random.pick(FLAW_RATES)).connection();
}
