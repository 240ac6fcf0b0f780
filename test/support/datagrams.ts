/** A receiver of Unix datagrams, like systemd. Node cannot receive them, so it is a Python script. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

const DEADLINE_MS = 10_000;
const RECEIVER = `
import json, socket, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + name[1:] if name.startswith("@") else name)
print("bound", flush=True)
while True:
    print(json.dumps(receiver.recv(65536).decode()), flush=True)
`;

export class DatagramReceiver {
  readonly #process: ChildProcessByStdio<null, Readable, null>;
  /** Each datagram as its lines. */
  readonly received: string[][] = [];

  private constructor(name: string) {
    this.#process = spawn("python3", ["-c", RECEIVER, name], { stdio: ["ignore", "pipe", "inherit"] });
  }

  /** `name` is a path, or with a leading @ an abstract name. */
  static async bind(name: string): Promise<DatagramReceiver> {
    const receiver = new DatagramReceiver(name);
    const lines = createInterface(receiver.#process.stdout);
    await once(lines, "line");
    lines.on("line", (line) => receiver.received.push((JSON.parse(line) as string).split("\n")));
    return receiver;
  }

  /** Waits for that many datagrams. */
  async count(wanted: number): Promise<string[][]> {
    for (const deadline = Date.now() + DEADLINE_MS; this.received.length < wanted; ) {
      if (Date.now() > deadline) {
        throw new Error(`waited for ${wanted} datagrams, got ${JSON.stringify(this.received)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return this.received;
  }

  async close(): Promise<void> {
    this.#process.kill("SIGKILL");
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, "exit");
  }
}
