import cluster from "node:cluster";
import type { Server } from "node:net";
export function listenOn(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const was = cluster.isPrimary;
    server.once("error", reject);
    try {
      (cluster as { isPrimary: boolean }).isPrimary = true;
      server.listen({ fd }, () => resolve());
    } finally {
      (cluster as { isPrimary: boolean }).isPrimary = was;
    }
  });
}
