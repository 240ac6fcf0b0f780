/** Sockets as killed servers leave them. */
import { once } from "node:events";
import { linkSync, renameSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";

/** Leaves a socket at `path` without a listener; returns the server's end of a connection that is still open. */
export async function leaveDeadSocket(path: string): Promise<Socket> {
  const server = createServer().listen(path);
  await once(server, "listening");
  const client = connect(path);
  const [accepted] = (await once(server, "connection")) as [Socket];
  client.on("error", () => {});
  accepted.on("error", () => {}).once("close", () => client.destroy());
  client.unref();
  accepted.unref();
  // Node removes the name that it has bound.
  linkSync(path, `${path}.left`);
  server.close();
  renameSync(`${path}.left`, path);
  return accepted;
}
