/** The nginx that stands before a server. */

import { untilAnswering } from "../lib/answer.ts";
import type { Core } from "../lib/pinning.ts";
import { newPlace, Program, type Running } from "../lib/running.ts";
import { nginxBefore } from "../servers/nginx.ts";

/** An nginx on the core of the load, in front of a server. */
export async function nginxFront(
  server: Running,
  core: Core,
): Promise<{ port: number; stop(): Promise<void> }> {
  const { folder, address, remove } = await newPlace();
  const port = address as number;
  const nginx = new Program("nginx in front", core, nginxBefore(server.address, port, folder), process.env);
  const stop = async (): Promise<void> => {
    await nginx.stop();
    remove();
  };
  try {
    await untilAnswering(nginx, port, { path: "/" });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}
