/** The proxy that stands before a server, on the core of the load. */

import { untilAnswering } from "../lib/answer.ts";
import type { Core } from "../lib/pinning.ts";
import { newPlace, Program, type Running } from "../lib/running.ts";
import { haproxyBefore } from "../servers/haproxy.ts";
import { nginxBefore } from "../servers/nginx.ts";

export interface ProxyFront {
  readonly port: number;
  stop(): Promise<void>;
}

async function front(
  name: string,
  words: (port: number, folder: string) => readonly [string, ...string[]],
  core: Core,
): Promise<ProxyFront> {
  const { folder, address, remove } = await newPlace();
  const port = address as number;
  const proxy = new Program(`${name} in front`, core, words(port, folder), process.env);
  const stop = async (): Promise<void> => {
    await proxy.stop();
    remove();
  };
  try {
    await untilAnswering(proxy, port, { path: "/" });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

export function nginxFront(server: Running, core: Core): Promise<ProxyFront> {
  return front("nginx", (port, folder) => nginxBefore(server.address, port, folder), core);
}

/** @param sendsHeader whether each connection begins with a PROXY header */
export function haproxyFront(server: Running, core: Core, sendsHeader: boolean): Promise<ProxyFront> {
  return front("HAProxy", (port, folder) => haproxyBefore(server.address, port, folder, sendsHeader), core);
}
