/** Syslog servers as a test has them: they keep what they are sent. The one for streams can go away and come back. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** A UDP receiver on loopback; `received` has one message each. */
export async function receiveUdp(test: TestContext): Promise<{ port: number; received: string[] }> {
  const received: string[] = [];
  const socket = createSocket("udp4");
  test.after(() => socket.close());
  socket.on("message", (message) => received.push(message.toString()));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { port: socket.address().port, received };
}

export class StreamReceiver {
  /** Whole lines. */
  readonly received: string[] = [];
  readonly #where: string | { host: string; port: number };
  #server: Server | undefined;
  #clients = new Set<Socket>();

  constructor(where: string | { host: string; port: number }) {
    this.#where = where;
  }

  static async start(
    test: TestContext,
    where: string | { host: string; port: number } = { host: "127.0.0.1", port: 0 },
  ): Promise<StreamReceiver> {
    const receiver = new StreamReceiver(where);
    test.after(() => receiver.stop());
    await receiver.begin();
    return receiver;
  }

  get port(): number {
    const address = this.#server?.address() as AddressInfo;
    return address.port;
  }

  async begin(port?: number): Promise<void> {
    this.#server = createServer((client) => this.#take(client));
    if (typeof this.#where === "string") this.#server.listen(this.#where);
    else this.#server.listen({ ...this.#where, ...(port === undefined ? {} : { port }) });
    await once(this.#server, "listening");
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const client of this.#clients) client.destroy();
    server.close();
    await once(server, "close");
  }

  #take(client: Socket): void {
    this.#clients.add(client);
    let rest = "";
    client.setEncoding("utf8");
    client.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      this.received.push(...lines);
    });
    client.on("error", () => {});
    client.on("close", () => this.#clients.delete(client));
  }
}
