/** Clients that break every rule of politeness, for one server: what they do to it, and whether it has anything left of them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { requestControl } from "../../src/control/control-client.ts";
import type { StatsReport } from "../../src/control/stats.ts";
import { ask } from "./ask.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "./command.ts";
import { RawClient } from "./engine.ts";

export const RUDE_KINDS = [
  { app: "gateway.mjs:handler", interface: "gateway" },
  { app: "listener.mjs:handler", interface: "node" },
  { app: "server.mjs", interface: "server" },
] as const;

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SIZED = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789";
const CHUNKED =
  "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\n01234\r\n5\r\n56789\r\n0\r\nT: r\r\n\r\n";
const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes";

/** The requests that are broken off after each of their bytes. */
export const REQUESTS = [GET, SIZED, CHUNKED, UPGRADE, GET + SIZED + CHUNKED + GET];

export class RudeClients {
  readonly command: RunningCommand;
  readonly #port: number;
  readonly #control: string;

  static async start(context: TestContext, kind: (typeof RUDE_KINDS)[number]): Promise<RudeClients> {
    const control = join(temporaryFolder(context), "c.ctl");
    const words = [kind.app, "--interface", kind.interface, "-w", "1", "-b", "127.0.0.1:0"];
    const command = startCommand(context, [...words, "--control-socket", control], {
      cwd: join(FIXTURES, "slow"),
    });
    await command.ready();
    return new RudeClients(command, await command.port(), control);
  }

  private constructor(command: RunningCommand, port: number, control: string) {
    this.command = command;
    this.#port = port;
    this.#control = control;
  }

  get port(): number {
    return this.#port;
  }

  async open(): Promise<Socket> {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  }

  async client(): Promise<RawClient> {
    return new RawClient(await this.open());
  }

  /** Sends the first bytes of a request, and then `leave`s. */
  async #after(bytes: string, leave: (socket: Socket) => void): Promise<void> {
    const socket = await this.open();
    const closed = once(socket, "close");
    if (bytes !== "") await new Promise((resolve) => socket.write(bytes, "latin1", resolve));
    leave(socket);
    socket.resume();
    await closed;
  }

  /** Resets the connection after each byte of a request, at once and when the server has read it. */
  async resetEverywhere(request: string): Promise<void> {
    const all: Promise<void>[] = [];
    for (let length = 0; length <= request.length; length += 1) {
      const bytes = request.slice(0, length);
      all.push(this.#after(bytes, (socket) => socket.resetAndDestroy()));
      all.push(this.#after(bytes, (socket) => setTimeout(() => socket.resetAndDestroy(), 30)));
    }
    await Promise.all(all);
  }

  /** Closes the sending side after each byte of a request: the server must end the connection, whatever it answers. */
  async halfCloseEverywhere(request: string): Promise<void> {
    const all: Promise<void>[] = [];
    for (let length = 0; length <= request.length; length += 1)
      all.push(this.#after(request.slice(0, length), (socket) => socket.end()));
    await Promise.all(all);
  }

  /** Breaks off a long response after some bytes. */
  async resetResponses(count: number): Promise<void> {
    const one = async (index: number): Promise<void> => {
      const socket = await this.open();
      socket.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
      let size = 0;
      socket.on("data", (bytes) => {
        size += bytes.length;
        if (size > index * 50_000) socket.resetAndDestroy();
      });
      await once(socket, "close");
    };
    await Promise.all(Array.from({ length: count }, (_, index) => one(index)));
  }

  /** Asks for 100 MB, reads nothing of it, and goes after a moment. */
  async neverRead(count: number): Promise<void> {
    const one = async (): Promise<void> => {
      const socket = (await this.open()).pause();
      const closed = once(socket, "close");
      socket.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
      setTimeout(() => socket.resetAndDestroy(), 300);
      await closed;
    };
    await Promise.all(Array.from({ length: count }, one));
  }

  /** Sends a request byte by byte, each in a segment of its own. */
  async byteByByte(request: string): Promise<string> {
    const client = await this.client();
    for (const byte of request) {
      client.send(byte);
      await new Promise(setImmediate);
    }
    client.socket.end();
    return client.rest();
  }

  /** Sends content as chunks of one byte, all at once. */
  async tinyChunks(count: number, extension: string): Promise<string> {
    const client = await this.client();
    const chunks = `1${extension}\r\nx\r\n`.repeat(count);
    client.send(
      `POST /upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    );
    return client.rest();
  }

  /** Sends many requests at once. Returns how many were answered before the last, which closes the connection. */
  async pipeline(count: number): Promise<number> {
    const client = await this.client();
    client.send(`${GET.repeat(count)}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const text = await client.rest();
    return text.split("HTTP/1.1 200 ").length - 2;
  }

  /** Sends many requests, reads nothing, and resets. */
  async pipelineWithoutReading(count: number): Promise<void> {
    const socket = (await this.open()).pause();
    const closed = once(socket, "close");
    socket.write(GET.repeat(count));
    setTimeout(() => socket.resetAndDestroy(), 200);
    await closed;
  }

  /** Others are answered. */
  async assertServes(): Promise<void> {
    const { status, text } = await ask({ host: "127.0.0.1", port: this.#port }, "/upload", "four");
    assert.deepEqual([status, text], [200, "4 bytes"]);
  }

  /** The descriptors of the worker. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.command.workers()[0]}/fd`).length;
  }

  async #stats(): Promise<StatsReport> {
    const { body } = await requestControl(this.#control, "GET", "/stats");
    return body as StatsReport;
  }

  /** The memory of the worker in bytes. */
  async memory(): Promise<number> {
    const [worker] = (await this.#stats()).workers;
    return worker?.rssBytes ?? 0;
  }

  /** Nothing is left of any client: no connection, no request in flight, no descriptor beyond `before`. */
  async assertNothingLeft(before: number | undefined): Promise<void> {
    const workers = this.command.workers();
    await until("no connection and no request is left", async () => {
      const { connections, inFlight } = await this.#stats();
      return inFlight + connections.active + connections.idle + connections.upgraded === 0;
    });
    if (before !== undefined) await until("its descriptors are closed", () => this.descriptors <= before);
    assert.deepEqual(this.command.workers(), workers, "it is the same worker");
  }
}
