/**
 * A connection in memory: two ends that pass for sockets. Nothing listens and nothing is opened, so it works whatever
 * limits, folders and addresses the process has.
 */
import { Duplex } from "node:stream";

/** The client's address that the server sees. */
const ADDRESS = "127.0.0.1";

export class MemorySocket extends Duplex {
  readonly remoteAddress = ADDRESS;
  readonly remotePort = 0;
  readonly remoteFamily = "IPv4";
  readonly localAddress = ADDRESS;
  readonly localPort = 0;
  readonly localFamily = "IPv4";
  readonly connecting = false;
  readonly pending = false;
  bytesRead = 0;
  bytesWritten = 0;
  timeout = 0;
  readonly #isClient: boolean;
  /** The other end; until there is one, itself. */
  #other: MemorySocket = this;
  #resume: (() => void) | undefined;

  /** Returns the client's end and the server's. */
  static pair(): [MemorySocket, MemorySocket] {
    const client = new MemorySocket(true);
    const server = new MemorySocket(false);
    client.#other = server;
    server.#other = client;
    return [client, server];
  }

  private constructor(isClient: boolean) {
    super({ allowHalfOpen: true });
    this.#isClient = isClient;
  }

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.bytesWritten += chunk.length;
    // Later, as on a real connection: no side runs within the other's call.
    process.nextTick(() => this.#other.#receive(chunk, done));
  }

  #receive(chunk: Uint8Array, done: () => void): void {
    this.bytesRead += chunk.length;
    if (this.destroyed || this.push(chunk)) done();
    else this.#resume = done;
  }

  override _final(done: () => void): void {
    process.nextTick(() => {
      this.#other.#end();
      done();
    });
  }

  #end(): void {
    if (!this.destroyed && !this.readableEnded) this.push(null);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#resume?.();
    this.#resume = undefined;
    const other = this.#other;
    process.nextTick(() => {
      // A client may still read what the server has sent; a server has nobody to respond to any more.
      if (this.#isClient) other.destroy();
      else other.#end();
    });
    done(error);
  }

  /** As a socket does: destroys once everything is sent. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  /** Nothing is slow here: who asks limits the time. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  address(): { readonly address: string; readonly family: string; readonly port: number } {
    return { address: ADDRESS, family: "IPv4", port: 0 };
  }
}
