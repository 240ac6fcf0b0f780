/** A port for a server that cannot report which one it got. */
import { once } from "node:events";
import { createServer } from "node:net";

/** A port of the loopback address that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** The first of so many ports in a row that are free now. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    const servers = Array.from({ length: count }, () => createServer());
    try {
      for (const [index, server] of servers.entries())
        await once(server.listen(first + index, "127.0.0.1"), "listening");
      return first;
    } catch {
      // One of them is taken: try others.
    } finally {
      await Promise.all(
        servers.filter(({ listening }) => listening).map((server) => once(server.close(), "close")),
      );
    }
  }
}
