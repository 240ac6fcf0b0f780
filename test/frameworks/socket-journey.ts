/** The test of frameworks that speak WebSocket only. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { WebSocket } from "ws";
import { until } from "../support/command.ts";
import type { Framework } from "./catalogue.ts";
import { brokenDeploy, stop } from "./journey.ts";
import { complaints, openStage, type Stage } from "./stage.ts";

const UPLOAD_BYTES = 2 * 1024 * 1024;
/** A stream of five pieces, 100 ms apart, takes at least so long, in milliseconds. */
const STREAM_MS = 200;
const CLIENTS = 8;
/** How many answers the clients must see before, and after, each reload. */
const ANSWERS = 100;

/** A client of the app, in the protocol of its framework. */
interface Client {
  /** The first message of the app. */
  page(): Promise<string>;
  /** Sends a text and returns what comes back. Rejects if the answer is lost. */
  echo(text: string): Promise<string>;
  upload(content: Buffer): Promise<string>;
  /** Calls back for each piece. */
  stream(onPiece: (piece: string) => void): void;
  close(): void;
}

export async function socketJourney(test: TestContext, framework: Framework): Promise<void> {
  const stage = await openStage(test, framework);
  if (stage === undefined) return;
  const connect = framework.name === "socketio" ? socketIoClients(stage) : () => new WebSocketClient(stage);
  const first = connect();
  test.after(() => first.close());
  await test.test("page", async () => {
    const pid = /page (\d+)/.exec(await first.page())?.[1];
    assert.ok(stage.command.workers().includes(Number(pid)), `${pid} is no worker`);
  });
  await test.test("message", async () => {
    assert.equal(await first.echo("hello"), "hello");
  });
  await test.test("upload of 2 MiB", async () => {
    const content = randomBytes(UPLOAD_BYTES);
    assert.equal(await first.upload(content), createHash("sha256").update(content).digest("hex"));
  });
  await test.test("stream", async () => {
    const times: number[] = [];
    first.stream(() => times.push(performance.now()));
    await until("five pieces have come", () => times.length === 5);
    assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > STREAM_MS);
  });
  first.close();
  await test.test("HUP under load", async () => {
    await reloadUnderLoad(stage, connect);
  });
  await test.test("broken deploy", async (step) => {
    await brokenDeploy(step, stage);
    const client = connect();
    assert.match(await client.page(), /page/);
    client.close();
  });
  await test.test("TERM", async () => {
    await stop(stage);
  });
}

async function reloadUnderLoad(stage: Stage, connect: () => Client): Promise<void> {
  const { command } = stage;
  const before = command.workers();
  const failures: unknown[] = [];
  let answers = 0;
  let stopped = false;
  const run = async (): Promise<void> => {
    const client = connect();
    try {
      while (!stopped) {
        const text = `message ${answers}`;
        assert.equal(await client.echo(text), text);
        answers += 1;
      }
    } catch (error) {
      failures.push(error);
    } finally {
      client.close();
    }
  };
  const clients = Array.from({ length: CLIENTS }, run);
  const more = async (): Promise<void> => {
    const goal = answers + ANSWERS;
    await until(`${ANSWERS} more answers have come`, () => answers >= goal || failures.length > 0);
  };
  await more();
  for (const generation of [2, 3]) {
    command.kill("SIGHUP");
    await command.ready(generation);
    await more();
  }
  stopped = true;
  await Promise.all(clients);
  assert.deepEqual(failures, []);
  assert.deepEqual(complaints(stage), []);
  await until("the first workers are gone", () => !command.workers().some((pid) => before.includes(pid)));
}

/**
 * A client of a bare WebSocket server: it connects anew, and sends its message again, when the server says that it goes
 * away (1001). Every other end of a connection loses the message.
 */
class WebSocketClient implements Client {
  readonly #url: string;
  #socket: WebSocket | undefined;
  #page = "";

  constructor({ nginx }: Stage) {
    this.#url = `ws://127.0.0.1:${nginx.port}/socket`;
  }

  async page(): Promise<string> {
    await this.#connected();
    return this.#page;
  }

  echo(text: string): Promise<string> {
    return this.#ask(text);
  }

  upload(content: Buffer): Promise<string> {
    return this.#ask(content);
  }

  stream(onPiece: (piece: string) => void): void {
    this.#socket?.on("message", (data) => onPiece(String(data)));
    this.#socket?.send("stream");
  }

  close(): void {
    this.#socket?.terminate();
  }

  async #ask(message: string | Buffer): Promise<string> {
    for (;;) {
      const socket = await this.#connected();
      let settle: (outcome: string | number) => void = () => {};
      const answered = (data: unknown): void => settle(String(data));
      const closed = (code: number): void => settle(code);
      const outcome = await new Promise<string | number>((resolve) => {
        settle = resolve;
        socket.once("message", answered).once("close", closed);
        if (socket.readyState === WebSocket.OPEN) socket.send(message);
      });
      socket.off("message", answered).off("close", closed);
      if (typeof outcome === "string") return outcome;
      this.#socket = undefined;
      assert.equal(outcome, 1001, "the server closes a connection only to go away");
    }
  }

  async #connected(): Promise<WebSocket> {
    const known = this.#socket;
    if (known?.readyState === WebSocket.OPEN) return known;
    if (known !== undefined && known.readyState !== WebSocket.CLOSED) await once(known, "close");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const [first] = await once(socket, "message");
    this.#page = String(first);
    return socket;
  }
}

/** The part of Socket.IO's own client that the journey uses. */
interface IoSocket {
  on(event: string, listener: (value: string) => void): void;
  emitWithAck(event: string, content: unknown): Promise<string>;
  emit(event: string): void;
  disconnect(): void;
}

/** Socket.IO's own clients, which reconnect by themselves, and send a message again that was not acknowledged. */
function socketIoClients({ nginx, project }: Stage): () => Client {
  const { io } = createRequire(join(project.folder, "package.json"))("socket.io-client") as {
    io(url: string, options: object): IoSocket;
  };
  return () => {
    const socket = io(`http://127.0.0.1:${nginx.port}`, {
      transports: ["websocket"],
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      ackTimeout: 5000,
      retries: 3,
      path: "/socket.io/",
    });
    const page = new Promise<string>((resolve) => socket.on("page", resolve));
    return {
      page: () => page,
      echo: (text) => socket.emitWithAck("echo", text),
      upload: (content) => socket.emitWithAck("upload", content),
      stream(onPiece) {
        socket.on("piece", onPiece);
        socket.emit("stream");
      },
      close: () => socket.disconnect(),
    };
  };
}
