/** Sends the requests of a row one after the other, so that each costs what it costs alone. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { hasMappedPage } from "../support/board-page.ts";
import { FIXTURES, type RunningCommand, startCommand, temporaryFolder, until } from "../support/command.ts";
import type { SentRow } from "./budgets.ts";

const CONTENT = JSON.stringify({ text: "x".repeat(1000) });

/** Starts one worker with the app of the row. */
export async function startRow(
  context: TestContext,
  row: SentRow,
  options: {
    readonly node: string;
    readonly prefix?: readonly string[];
    readonly settings?: readonly string[];
  },
): Promise<{ command: RunningCommand; worker: number; port: number }> {
  const folder = temporaryFolder(context);
  const log = row.logs ? ["--access-logfile", join(folder, "access.log")] : [];
  const app = join(FIXTURES, "budget", row.app);
  // Other tests look for servers by their processes too, and would ask an idle one.
  const { settings = [], ...started } = options;
  const args = [app, "-w", "1", "-b", "127.0.0.1:0", "--no-control-socket", ...log, ...settings];
  const command = startCommand(context, args, { ...started, env: { NODE_ENV: "production" } });
  await command.ready();
  const [worker] = command.workers();
  if (worker === undefined) throw new Error(`there is no worker:\n${command.stderr}`);
  // Before that it counts by writing to the page.
  if (process.platform === "linux") await until("its page is mapped", () => hasMappedPage(worker));
  return { command, worker, port: await command.port() };
}

function bytesOf({ method = "GET", path, closes, chunked }: SentRow): string {
  const content = method === "POST" ? CONTENT : "";
  const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${content.length}`;
  const framed = chunked ? `${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n` : content;
  const fields = [
    "Host: localhost",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "X-Forwarded-For: 203.0.113.7",
    ...(closes ? ["Connection: close"] : []),
    ...(content === "" ? [] : ["Content-Type: application/json", framing]),
  ];
  return `${method} ${path} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n${framed}`;
}

/** Whether the text ends a response: by its length, or by the last chunk. */
function isWhole(text: string): boolean {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return false;
  const length = /^content-length: (\d+)\r$/im.exec(text.slice(0, headEnd + 2))?.[1];
  return length === undefined ? text.endsWith("\r\n0\r\n\r\n") : text.length - headEnd - 4 >= Number(length);
}

async function response(socket: Socket): Promise<string> {
  let text = "";
  while (!isWhole(text)) {
    const [chunk] = await once(socket, "data");
    text += chunk;
  }
  if (!text.startsWith("HTTP/1.1 200 ")) throw new Error(text);
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" }).setEncoding("latin1").setNoDelay();
  await once(socket, "connect");
  return socket;
}

export async function send(port: number, row: SentRow, count: number): Promise<void> {
  const bytes = bytesOf(row);
  if (row.closes) {
    for (let sent = 0; sent < count; sent += 1) {
      const socket = await open(port);
      const closed = once(socket, "close");
      socket.write(bytes);
      await response(socket);
      await closed;
    }
    return;
  }
  const socket = await open(port);
  for (let sent = 0; sent < count; sent += 1) {
    socket.write(bytes);
    await response(socket);
  }
  socket.destroy();
}

/** The bytes that the app says it has allocated since the last time. */
export function allocated(port: number): Promise<number> {
  return ask(port, "/allocated");
}

/** The number that the app responds with. */
export async function ask(port: number, path: string): Promise<number> {
  const socket = await open(port);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const number = Number(await response(socket));
  socket.destroy();
  return number;
}
