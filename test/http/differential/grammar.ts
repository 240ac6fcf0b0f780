/**
 * Connections made from the grammar of RFC 9112, with flaws. Each production yields a valid text, or now and then one of
 * its flaws: texts that some recipient has read differently from another. Later bytes are made to fit what was meant, so
 * a flaw leads readers apart where they differ, and content may look like a request. Texts are Latin-1.
 */
import type { Random } from "../../support/random.ts";
import { CHUNK_SIZE_FLAWS, chunkSize, EXTENSION_FLAWS, EXTENSIONS } from "./chunk-syntax.ts";
import {
  CODING_FLAWS,
  FIELD_NAME_FLAWS,
  FIELD_VALUES,
  LENGTH_FLAWS,
  LINE_END_FLAWS,
  METHOD_FLAWS,
  METHODS,
  ORDINARY_FIELDS,
  SPACE_FLAWS,
  TARGET_FLAWS,
  TARGETS,
  TRAILERS,
  VALUE_FLAWS,
  VERSION_FLAWS,
} from "./words.ts";

/** One draw in so many is a flaw; the first is none at all. */
const FLAW_RATES = [Number.POSITIVE_INFINITY, 200, 60, 60, 20, 20, 8] as const;

/** The request behind all others: it is read only if each reader finds the same end of what comes before. */
export const SENTINEL = "GET /sentinel HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
/** Content that is a request to a reader who ends the message too early. */
export const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\nX: ";

class Writer {
  readonly #random: Random;
  readonly #rate: number;

  constructor(random: Random, rate: number) {
    this.#random = random;
    this.#rate = rate;
  }

  #flawed(): boolean {
    return this.#rate !== Number.POSITIVE_INFINITY && this.#random.below(this.#rate) === 0;
  }

  #one(valid: readonly string[], flaws: readonly string[]): string {
    return this.#random.pick(this.#flawed() ? flaws : valid);
  }

  #chance(oneIn: number): boolean {
    return this.#random.below(oneIn) === 0;
  }

  #lineEnd(): string {
    return this.#one(["\r\n"], LINE_END_FLAWS);
  }

  connection(): string {
    let text = "";
    for (let left = 1 + this.#random.below(4); left > 0; left -= 1) text += this.#request();
    if (!this.#chance(8)) text += SENTINEL;
    return this.#chance(25) ? text.slice(0, this.#random.below(text.length) + 1) : text;
  }

  #request(): string {
    const before = this.#chance(12) ? "\r\n" : this.#one([""], ["\n", "\r", "\r\n\r\n", " ", "\t", "\0"]);
    const method = this.#one(METHODS, METHOD_FLAWS);
    const version = this.#one(this.#chance(8) ? ["HTTP/1.0"] : ["HTTP/1.1"], VERSION_FLAWS);
    const line = method + this.#space() + this.#target(method) + this.#space() + version + this.#lineEnd();
    const { fields, content } = this.#content(method, version);
    if (version !== "HTTP/1.0" || this.#chance(2)) fields.push(this.#host());
    for (let left = this.#random.below(4); left > 0; left -= 1) fields.push(this.#ordinaryField());
    if (this.#chance(6)) fields.push(this.#field("Connection", FIELD_VALUES.connection));
    if (this.#chance(25)) fields.push(this.#field("Upgrade", ["websocket", "h2c", "x/1"]));
    if (this.#chance(20)) fields.push(this.#field("Expect", FIELD_VALUES.expect));
    return before + line + this.#shuffled(fields).join("") + this.#lineEnd() + content;
  }

  #shuffled(fields: string[]): string[] {
    for (let at = fields.length - 1; at > 0; at -= 1) {
      const other = this.#random.below(at + 1);
      [fields[at], fields[other]] = [fields[other] as string, fields[at] as string];
    }
    return fields;
  }

  #space(): string {
    return this.#one([" "], SPACE_FLAWS);
  }

  #target(method: string): string {
    if (method === "CONNECT") return this.#one(["a.example:443"], ["/", "a.example", ":1", "a:", "*"]);
    if (method === "OPTIONS" && this.#chance(2)) return "*";
    return this.#one(TARGETS, TARGET_FLAWS);
  }

  #host(): string {
    const host = this.#field("Host", FIELD_VALUES.host);
    return this.#flawed() ? host + this.#field("Host", FIELD_VALUES.host) : host;
  }

  #ordinaryField(): string {
    const [name = "", value = ""] = this.#random.pick(ORDINARY_FIELDS);
    return this.#field(name, [value]);
  }

  /** field-line = field-name ":" OWS field-value OWS */
  #field(name: string, values: readonly string[]): string {
    const written = this.#flawed() ? this.#random.pick(FIELD_NAME_FLAWS)(name) : this.#cased(name);
    const value = this.#flawed()
      ? this.#random.pick(VALUE_FLAWS)(this.#random.pick(values))
      : this.#random.pick(values);
    const before = this.#random.pick([" ", " ", " ", "", "\t", "  "]);
    const after = this.#chance(30) ? this.#random.pick([" ", "\t", " \t "]) : "";
    const colon = this.#one([":"], [" :", "\t:", "", "::", "=", ":\0", ":\x0b", "\r\n:"]);
    return written + colon + before + value + after + this.#lineEnd();
  }

  #cased(name: string): string {
    const draw = this.#random.below(8);
    if (draw === 0) return name.toLowerCase();
    return draw === 1 ? name.toUpperCase() : name;
  }

  /** The fields that frame a message, and its content. */
  #content(method: string, version: string): { fields: string[]; content: string } {
    const bodiless = ["GET", "HEAD", "TRACE", "CONNECT", "DELETE"].includes(method);
    if (!this.#flawed() && this.#chance(bodiless ? 1 : 4)) return { fields: [], content: "" };
    const data = this.#data();
    const chunked = version === "HTTP/1.1" && this.#chance(2);
    const fields = chunked ? [this.#coding()] : [this.#length(data.length)];
    if (this.#flawed()) fields.push(this.#chance(2) ? this.#coding() : this.#length(data.length));
    return { fields, content: chunked ? this.#chunks(data) : data };
  }

  #data(): string {
    const words = [
      "",
      "a",
      "hello",
      "0\r\n\r\n",
      "\r\n",
      SMUGGLED,
      `0\r\n\r\n${SMUGGLED}`,
      "\xe9\0\xff",
      "5\r\nhello",
    ];
    const count = this.#random.below(3);
    return Array.from({ length: count + 1 }, () => this.#random.pick(words)).join("");
  }

  #length(length: number): string {
    const value = this.#flawed() ? this.#random.pick(LENGTH_FLAWS)(length) : String(length);
    return this.#field("Content-Length", [value]);
  }

  #coding(): string {
    return this.#field("Transfer-Encoding", [this.#one(["chunked", "chunked", "Chunked"], CODING_FLAWS)]);
  }

  #chunks(data: string): string {
    let text = "";
    for (let at = 0; at < data.length; ) {
      const size = 1 + this.#random.below(data.length - at);
      text += this.#chunkLine(size) + data.slice(at, at + size) + this.#one(["\r\n"], CHUNK_END_FLAWS);
      at += size;
    }
    return text + this.#chunkLine(0) + this.#trailers() + this.#lineEnd();
  }

  #chunkLine(size: number): string {
    const digits = this.#flawed() ? this.#random.pick(CHUNK_SIZE_FLAWS)(size) : chunkSize(size, this.#random);
    const extension = this.#chance(6) ? this.#random.pick(EXTENSIONS) : "";
    return digits + (this.#flawed() ? this.#random.pick(EXTENSION_FLAWS) : extension) + this.#lineEnd();
  }

  #trailers(): string {
    if (!this.#chance(4)) return "";
    const names = this.#flawed() ? TRAILERS.forbidden : TRAILERS.allowed;
    const count = 1 + this.#random.below(2);
    return Array.from({ length: count }, () => this.#field(this.#random.pick(names), ["1", "chunked"])).join(
      "",
    );
  }
}

const CHUNK_END_FLAWS = ["\n", "\r", "", "X", "X\r\n", "\r\n\r\n", "\r\r\n", "\n\n"];

/** The bytes of one connection. */
export function generate(random: Random): string {
  return new Writer(random, random.pick(FLAW_RATES)).connection();
}
