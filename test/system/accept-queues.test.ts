/** How many connections wait on a listening socket, as the kernel says. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { acceptQueues, waitingTcp, waitingUnix } from "../../src/system/accept-queues.ts";
import { readSocketTable } from "../../src/system/socket-table.ts";
import { cleanUp, temporaryFolder, until } from "../support/command.ts";
import { missing } from "../support/component.ts";

const TCP = [
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
  "   0: 0100007F:1F40 00000000:0000 0A 00000000:0000001A 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0",
  "   1: 0100007F:1F40 0100007F:C350 01 00000000:00000005 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1",
].join("\n");

const UNIX = [
  "Num       RefCount Protocol Flags    Type St Inode Path",
  "0: 00000002 00000000 00010000 0001 01 8000 /run/app sock",
  "0: 00000002 00000000 00000000 0001 02 0 /run/app sock",
  "0: 00000002 00000000 00000000 0001 02 0 /other/run/app sock",
  "0: 00000003 00000000 00000000 0001 03 8001 /run/app sock",
].join("\n");

/** Listens on both kinds of sockets and accepts nothing; prints the port. */
const LISTENER = `
import socket, sys
tcp = socket.socket(); tcp.bind(("127.0.0.1", 0)); tcp.listen(16)
unix = socket.socket(socket.AF_UNIX); unix.bind(sys.argv[1]); unix.listen(16)
print(tcp.getsockname()[1], flush=True)
sys.stdin.read()
`;

describe("Connections that wait to be accepted", () => {
  test("are a number in the line of a TCP socket that listens", () => {
    assert.deepEqual([...waitingTcp([TCP, ""])], [["4711", 26]]);
  });

  test("are lines of their own for a Unix socket", () => {
    assert.equal(waitingUnix(UNIX, "/run/app sock"), 1);
    assert.equal(waitingUnix(UNIX, "/nowhere"), 0);
  });

  const skip = process.platform === "linux" ? missing("python3") : "the tables are Linux's";
  test("are counted by the kernel of this machine", { skip }, async (context) => {
    const path = join(temporaryFolder(context), "s.sock");
    const listener = spawn("python3", ["-c", LISTENER, path], { stdio: ["pipe", "pipe", "inherit"] });
    cleanUp(context, () => listener.kill("SIGKILL"));
    const [line] = (await once(listener.stdout, "data")) as [Buffer];
    const port = Number(String(line));
    const clients: Socket[] = [];
    for (const target of [{ host: "127.0.0.1", port }, { path }, { path }]) {
      const client = connect(target);
      clients.push(client);
      await once(client, "connect");
    }
    cleanUp(context, () => clients.map((client) => client.destroy()));
    const waiting = await until("both have arrived", async () => {
      const found = await acceptQueues([{ descriptor: 0, path }]);
      return found[0] === 2 && found;
    });
    assert.deepEqual(waiting, [2]);
    const inode = await until("the port is listed", async () => tcpInode(port));
    assert.equal(waitingTcp([await readSocketTable("tcp")]).get(inode), 1);
  });
});

async function tcpInode(port: number): Promise<string | undefined> {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = (await readSocketTable("tcp")).split("\n").map((line) => line.trim().split(/\s+/));
  return lines.find(([, local, , state]) => local === address && state === "0A")?.[9];
}
